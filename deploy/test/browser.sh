#!/usr/bin/env bash
# Starts the real binary on fresh data and walks the console in a real browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v chromium >/dev/null || { echo "not run: test-browser (no chromium on this machine)"; exit 0; }
data=$(mktemp -d)
bin/mulu up --data "$data" --listen 127.0.0.1:18480 --kafka 127.0.0.1:19392 >"$data/up.log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 240); do
  [ -s "$data/sign-ins.json" ] && grep -q '"ready": true' "$data/run.json" 2>/dev/null && break
  kill -0 $pid 2>/dev/null || { cat "$data/up.log"; exit 1; }
  sleep 0.5
done
cd console
BASE_URL=http://127.0.0.1:18480 SIGN_INS="$data/sign-ins.json" npm run --silent test:browser
