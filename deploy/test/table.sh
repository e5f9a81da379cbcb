#!/usr/bin/env bash
# Exchange databases as departments have them (前置库): PostgreSQL and MariaDB, from the
# system's packages, throw-away ones on loopback. Increments, ranges, comparisons and
# batches are pulled while the departments work and mulu is killed in the middle; a
# damaged twin is pulled beside them. At the end the library must hold, row by row, what
# the databases hold. Nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
pgbin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1)" 2>/dev/null || true)
export PATH=$PATH:/usr/sbin
for tool in "$pgbin/initdb" mariadbd mariadb-install-db mariadb psql; do
  command -v "$tool" >/dev/null || { echo "not run: test-table (no $tool on this machine)"; exit 0; }
done

port=${TABLE_PORT:-21130} # this one and the five after it
pgport=$port myport=$((port + 1)) kafka=127.0.0.1:$((port + 2)) http=127.0.0.1:$((port + 3))
work=$(mktemp -d) house= broker= my=
chmod 711 "$work"
as=() # the servers refuse to run as root
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid postgres --regid postgres --clear-groups)
  install -d -o postgres "$work/pg" "$work/my"
else
  mkdir "$work/pg" "$work/my"
fi
stop() { # end a process of ours and wait for it
  [ -n "$1" ] || return 0
  kill "${2:--TERM}" "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
finish() {
  code=$?
  [ $code = 0 ] || tail -n 15 "$work"/*.log "$work"/*/log 2>/dev/null || true
  stop "$house"; stop "$broker"; stop "$my"
  "${as[@]}" "$pgbin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$work"
  exit $code
}
trap finish EXIT
trap 'exit 1' INT TERM
until_ok() { # until_ok SECONDS WHAT COMMAND…
  local left=$1 what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "$what: not in time"; return 1; }
    sleep 1
  done
}

echo "· PostgreSQL and MariaDB"
(
  cd /
  "${as[@]}" "$pgbin/initdb" -D "$work/pg/data" -A trust -U postgres -E UTF8 --locale=C >/dev/null
  "${as[@]}" "$pgbin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w \
    -o "-p $pgport -k $work/pg -c listen_addresses=127.0.0.1 -c fsync=off -c timezone=Asia/Shanghai" start >/dev/null
  "${as[@]}" mariadb-install-db --no-defaults --datadir="$work/my/data" --auth-root-authentication-method=normal --skip-test-db >"$work/my/install" 2>&1
)
(cd / && exec "${as[@]}" mariadbd --no-defaults --datadir="$work/my/data" --default-time-zone=+08:00 --port="$myport" --bind-address=127.0.0.1 --socket="$work/my/socket" --pid-file="$work/my/pid" \
  --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M) >"$work/my/log" 2>&1 & my=$!
pg() { psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d postgres -v ON_ERROR_STOP=1 -At "$@"; }
mysql() { mariadb --no-defaults --socket="$work/my/socket" -u root --default-character-set=utf8mb4 -N "$@"; }
until_ok 60 "MariaDB" mysql -e "SELECT 1"
pg -f deploy/test/table/postgres.sql
mysql <deploy/test/table/mariadb.sql
changes() { # changes ROUND
  pg -v "round=$1" -f deploy/test/table/changes.postgres.sql
  { echo "SET @round = $1;"; cat deploy/test/table/changes.mariadb.sql; } | mysql ex
}

go build -o "$work/table" ./deploy/test/table
export MULU_PASSWORD=look-closely-2026 TABLE_MY_DSN="mulu:it-is-secret@tcp(127.0.0.1:$myport)/ex"
(umask 077; echo "postgres://mulu:it-is-secret@127.0.0.1:$pgport/postgres" >"$work/pg.dsn")
cat >"$work/mulu.yaml" <<CONFIG
data: $work/mulu
listen: $http
sample: none
broker: {seeds: ["$kafka"]}
connections:
  pg: {driver: postgres, dsn_file: $work/pg.dsn}
  my: {driver: mariadb, dsn_env: TABLE_MY_DSN}
CONFIG
bin/mulu broker --data "$work/broker" --listen "$kafka" >"$work/broker.log" 2>&1 & broker=$!
until_ok 60 "broker" grep -q listening "$work/broker.log"
bin/mulu apply -f deploy/test/table/declarations --config "$work/mulu.yaml" >"$work/apply.log" 2>&1
bin/mulu account add look --role operator --org 11310107MBQ0000674 --title 运维 --config "$work/mulu.yaml" >>"$work/apply.log" 2>&1
start() {
  bin/mulu serve --config "$work/mulu.yaml" >>"$work/mulu.log" 2>&1 & house=$!
  until_ok 60 "mulu" curl -fs "http://$http/readyz"
}
cli() { bin/mulu ingest "$@" --data "$work/mulu" --user look; }

# A transaction that is open while its rows' time goes by, and is committed within the
# overlap of one minute.
late() { echo "BEGIN; UPDATE ex.person SET note = 'committed late in round $1', upd = clock_timestamp() WHERE id % 500 = 7; SELECT pg_sleep(12); COMMIT;" | pg; }

for round in ${TABLE_ROUNDS:-1 2 3}; do
  echo "· round $round: killed in the middle"
  start
  late "$round" & writer=$!
  sleep "$((1 + round)).5"
  changes "$round"
  sleep 1
  stop "$house" -KILL; house=
  start
  for k in 1 2 3 4 5 6; do # several versions of a row in one second, some of them between two pages
    mysql ex -e "UPDATE person SET note = 'version $round.$k' WHERE id % 100 = $k OR id % 100 = 50"
    sleep 0.4
  done
  stop "$house" -KILL; house=
  wait "$writer"
done

echo "· the last run"
start
until_ok 120 "batches" eval '[ "$(pg -c "SELECT count(*) FROM ex.mulu_batch WHERE taken_at IS NULL")$(mysql ex -e "SELECT count(*) FROM mulu_batch WHERE taken_at IS NULL")" = 00 ]'
for set in pg_person pg_place my_person my_place my_code my_bad pg_event my_event; do
  cli pull "$set" >>"$work/pull.log" 2>&1 || { cat "$work/pull.log"; exit 1; }
done
"$work/table" settled "http://$http" look
cli ways
cli reconcile --all >"$work/statement" || { cat "$work/statement"; exit 1; }
said() { # said WHAT GOT WANT
  if [ "$2" = "$3" ]; then echo "  ✓ $1"; else echo "  ✗ $1: $2, want $3"; fi | tee -a "$work/verdicts"
}
receipts="SELECT concat(batch_no, ' ', status, ' ', rows_taken, ' ', rows_good, ' ', rows_rejected, ' ', CASE WHEN message LIKE '%与登记的 2001 行不符%' THEN 'short' ELSE 'whole' END)"
want() { printf '%s\n' "B0 $1 2000 2000 0 whole" "B1 $2 2000 2000 0 short" "R1 已取 1000 1000 0 whole" "R2 已取 1000 1000 0 whole" "R3 已取 1000 1000 0 whole" | head -n $((2 + $(wc -w <<<"${TABLE_ROUNDS:-1 2 3}"))); }
said "receipts in PostgreSQL" "$(pg -c "$receipts FROM ex.mulu_batch ORDER BY batch_no")" "$(want 1 2)"
said "receipts in MariaDB" "$(mysql ex -e "$receipts FROM mulu_batch ORDER BY batch_no")" "$(want 已取 有误)"
said "a connection that is not configured is said" "$(cli ways --dataset nowhere | grep -c '没有 "gone"')" 1
stop "$house"; house=
"$work/table" once "$kafka" | tee -a "$work/verdicts"
"$work/table" compare "$work/mulu" deploy/test/table/declarations "postgres://postgres@127.0.0.1:$pgport/postgres?timezone=Asia/Shanghai" "root@unix($work/my/socket)/ex?time_zone=%27%2B08:00%27" | tee -a "$work/verdicts"
passed=$(grep -c ✓ "$work/verdicts") failed=$(grep -c ✗ "$work/verdicts" || true)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
