#!/usr/bin/env bash
# Rows of Avro, JSON Schema and Protobuf by Confluent's own Python serialisers, through
# the embedded registry and broker into the library. Everything is on loopback and
# throw-away; nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/deploy/test/registry
mulu=${MULU:-$PWD/bin/mulu}
work=$(mktemp -d)
pid=
stop() {
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT

python=${PYTHON:-}
if [ -z "$python" ]; then
  python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q 'confluent-kafka[avro,json,protobuf,schemaregistry]==2.*' grpcio-tools >/dev/null ||
    { echo "not run: test-registry (no confluent-kafka for Python on this machine)"; exit 0; }
  python=$work/venv/bin/python
fi
"$python" -m grpc_tools.protoc -I "$here" --python_out="$work" check.proto

mkdir "$work/declared"
cp deploy/sample/{organisations,systems,duties,weights}.yaml "$here"/*.yaml "$work/declared/"
"$mulu" apply --data "$work/data" -f "$work/declared" >/dev/null
key=$("$mulu" account system --data "$work/data" check --org 11310107MBQ0000674 | grep -o 'mulu_[0-9a-zA-Z_-]*')
export MULU_PASSWORD=correct-horse-battery
"$mulu" account add --data "$work/data" check-steward --org 12310107MBQ000032E --role steward >/dev/null
"$mulu" up --data "$work/data" --sample none --listen 127.0.0.1:0 --kafka 127.0.0.1:0 >"$work/log" 2>&1 &
pid=$!
for _ in $(seq 240); do
  [ -s "$work/data/run.json" ] && break
  kill -0 "$pid" || { cat "$work/log"; exit 1; }
  sleep 0.5
done
url=$(sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$work/data/run.json")
kafka=$(tr -d '\n' <"$work/data/run.json" | sed -n 's/.*"kafka": *\[ *"\([^"]*\)".*/\1/p')
PYTHONPATH=$work "$python" "$here/produce.py" "$url/registry" "$kafka" "$key"
"$mulu" registry list --data "$work/data" --key "$key"
"$mulu" registry draft check.avro-value --data "$work/data" --key "$key" | grep -q 'name: name, title: 待填, type: string, path: who.name' || { echo "no draft"; exit 1; }

# 22 records of each: 20 rows and a deletion are taken, one is damaged.
counted='import json, sys
for d in json.load(sys.stdin)["datasets"]:
    print(d["code"], d["good"], *(r["class"] + "=" + str(r["rows"]) for r in d["rejects"]))'
want=$(printf '%s\n' 'check_avro 21 schema=1' 'check_json 21 schema=1' 'check_protobuf 21 schema=1')
for _ in $(seq 60); do
  got=$("$mulu" ingest status --data "$work/data" --user check-steward --json | "$python" -c "$counted" | sort || true)
  [ "$got" = "$want" ] && break
  sleep 0.5
done
[ "$got" = "$want" ] || { printf 'got\n%s\nwant\n%s\n' "$got" "$want"; exit 1; }
printf 'ok\n%s\n' "$got"
