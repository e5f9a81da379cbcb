#!/usr/bin/env bash
# Several owners over one PostgreSQL control store: frozen, taken over, killed. The
# server is a throw-away one on loopback; nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1)" 2>/dev/null || true)
[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb || echo /none/initdb)")
[ -x "$bin/initdb" ] || { echo "not run: test-postgres (no PostgreSQL server on this machine)"; exit 0; }

port=${PG_PORT:-19480}
work=$(mktemp -d)
as=() # the server refuses to run as root
if [ "$(id -u)" = 0 ]; then
  chmod 711 "$work"
  install -d -o postgres "$work/pg"
  as=(setpriv --reuid postgres --regid postgres --clear-groups)
else
  mkdir "$work/pg"
fi
stop() {
  "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap stop EXIT
(
  cd /
  "${as[@]}" "$bin/initdb" -D "$work/pg/data" -A trust -U mulu >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log"; exit 1; }
  "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -o "-p $port -k $work/pg -c listen_addresses=127.0.0.1" -l "$work/pg/log" -w start >/dev/null
)
store=postgres://mulu@127.0.0.1:$port/postgres

status=0
MULU_TEST_POSTGRES=$store go test -count 1 ./internal/store ./share ./ingest/table || status=$?
bin/mulu torture --scenario freeze,rebalance,updates --rounds "${ROUNDS:-1}" --store "$store" \
  --listen "${LISTEN:-127.0.0.1:19481}" --kafka "${KAFKA:-127.0.0.1:19482}" || status=$?
exit $status
