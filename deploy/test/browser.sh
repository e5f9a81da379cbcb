#!/usr/bin/env bash
# Starts the real binary on fresh data and uses the console in a real browser: one
# application from end to end, then every page as each role.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v "${CHROMIUM:-chromium}" >/dev/null || { echo "not run: test-browser (no chromium on this machine)"; exit 0; }
[ -x bin/mulu ] || { echo "bin/mulu 不存在，请先运行 make build / run make build first"; exit 1; }
export MULU_ENGINE=${MULU_ENGINE:-$PWD/engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so}
export CHROMIUM=${CHROMIUM:-$(command -v chromium)}
url=http://127.0.0.1:${PORT:-18480}
data=$(mktemp -d)
bin/mulu up --data "$data" --listen "${url#http://}" --kafka "127.0.0.1:${KAFKA_PORT:-19392}" >"$data/up.log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf "$data"' EXIT
# The sign-ins are on disk before the sample rows are in: it is up when it has said
# how to stop it.
for n in $(seq 480); do
  grep -q 'Ctrl-C' "$data/up.log" && break
  kill -0 $pid 2>/dev/null || { echo "mulu 没有启动 / mulu did not start:"; cat "$data/up.log"; exit 1; }
  [ "$n" -lt 480 ] || { echo "mulu 4 分钟内没有就绪 / mulu was not ready in 4 minutes:"; cat "$data/up.log"; exit 1; }
  sleep 0.5
done
status=0
(cd console && BASE_URL=$url SIGN_INS="$data/sign-ins.json" MULU="$PWD/../bin/mulu" VERIFY="$PWD/../bin/mulu-verify" LOG_KEY="$data/chain/log.key.pub" \
  npm run --silent test:browser) || status=$?
exit $status
