#!/bin/sh
# Says whether internal/httpapi/gen is what openapi.yaml generates; prints the
# difference and exits 1 if somebody changed the one without the other.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
api/generate.sh "$tmp"
diff -ru "$tmp" internal/httpapi/gen || {
	echo "生成的代码与 api/openapi.yaml 不一致，请执行 api/generate.sh / generated code is stale" >&2
	exit 1
}
