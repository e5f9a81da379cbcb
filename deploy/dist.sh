#!/usr/bin/env bash
# Packs what a machine without internet, npm or Go needs: binaries, engine,
# examples, licence. Unpack anywhere and run ./mulu up.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?version}
name="mulu-$version-linux-amd64"
rm -rf "dist/$name" && mkdir -p "dist/$name/lib" "dist/$name/docs"
cp bin/mulu bin/mulu-verify "dist/$name/"
cp engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so "dist/$name/lib/"
cp LICENSE README.md README.zh-CN.md deploy/mulu.example.yaml "dist/$name/"
mkdir "dist/$name/sample" && cp deploy/sample/*.yaml "dist/$name/sample/"
cp ARCHITECTURE.md CHANGELOG.md "dist/$name/"
cp -r docs/glossary.md docs/adr docs/feeds.md docs/ingest.md docs/ingest "dist/$name/docs/"
mkdir "dist/$name/api" && cp api/openapi.yaml "dist/$name/api/"
(cd "dist/$name" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
tar -C dist --sort=name --owner=0 --group=0 --numeric-owner -I 'gzip -1' -cf "dist/$name.tar.gz" "$name"
(cd dist && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
