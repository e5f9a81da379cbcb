#!/bin/sh
# Writes internal/httpapi/gen/<tag>/ from openapi.yaml: one server per room. The
# generator has a module of its own (tools/codegen), so that what it needs never
# meets what mulu needs. With an argument, writes under that directory instead.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
out=$(mkdir -p "${1:-internal/httpapi/gen}" && cd "${1:-internal/httpapi/gen}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd tools/codegen && go build -o "$tmp/oapi-codegen" github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen)
for tag in session ingest submission intake dataset quality catalog share ledger system; do
	mkdir -p "$out/$tag"
	strict=true
	[ "$tag" = intake ] && strict=false # its bodies are streams that nobody decodes before the handler
	cat > "$tmp/$tag.yaml" <<EOF
package: $tag
output: $out/$tag/$tag.gen.go
generate: {std-http-server: true, strict-server: $strict, models: true}
output-options: {include-tags: [$tag]}
EOF
	"$tmp/oapi-codegen" -config "$tmp/$tag.yaml" "$root/api/openapi.yaml"
done
