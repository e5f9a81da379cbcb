#!/usr/bin/env bash
# A real change feed: PostgreSQL's logical decoding, read by Debezium's own engine, sent
# through Kafka Connect's JSON converter with and without schema block, into mulu. Both
# Debezium and mulu are killed on the way. At the end the library must hold, row by row,
# what PostgreSQL holds. PostgreSQL 15 comes from the system, Debezium's jars from Maven;
# nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
pgbin=/usr/lib/postgresql/15/bin
for tool in mvn java runuser "$pgbin/initdb"; do
  command -v "$tool" >/dev/null || { echo "not run: test-cdc (no $tool on this machine)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "not run: test-cdc (PostgreSQL runs as user postgres, which takes root)"; exit 0; }
jars=.cache/debezium
[ -f "$jars/.done" ] || { mvn -q -B -f deploy/test/debezium/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars" && touch "$jars/.done"; }

kafka=127.0.0.1:${CDC_KAFKA_PORT:-21011} http=127.0.0.1:${CDC_HTTP_PORT:-21010} pgport=${CDC_PG_PORT:-21020}
work=$(mktemp -d) feed= house= broker=
chmod 755 "$work"
stop() { # end a process of ours and wait for it
  [ -n "$1" ] || return 0
  kill "${2:--TERM}" "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
finish() {
  code=$?
  [ $code = 0 ] || tail -n 15 "$work"/*.log 2>/dev/null || true
  stop "$feed"; stop "$house"; stop "$broker"
  runuser -u postgres -- "$pgbin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true
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
sql() { psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d "${2:-civil}" -v ON_ERROR_STOP=1 -c "$1"; }

mkdir "$work/pg" && chown postgres "$work/pg"
runuser -u postgres -- "$pgbin/initdb" -D "$work/pg/data" -A trust -E UTF8 --locale=C >/dev/null
runuser -u postgres -- "$pgbin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w \
  -o "-p $pgport -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/pg -c wal_level=logical -c fsync=off -c timezone=Asia/Shanghai" start >/dev/null
sql "CREATE DATABASE civil" postgres
psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d civil -v ON_ERROR_STOP=1 -f deploy/test/cdc/tables.sql

bin/mulu broker --data "$work/broker" --listen "$kafka" >"$work/broker.log" 2>&1 & broker=$!
until_ok 60 "broker" grep -q listening "$work/broker.log"
bin/mulu apply -f deploy/test/cdc/declarations --data "$work/mulu" --brokers "$kafka" >"$work/apply.log" 2>&1
start_house() { bin/mulu up --data "$work/mulu" --brokers "$kafka" --listen "$http" --sample none --verbose >>"$work/mulu.log" 2>&1 & house=$!; }
start_feed() { java -Xmx384m -cp "$jars/*" deploy/test/debezium/Feed.java "$kafka" "$pgport" "$work" >>"$work/feed.log" 2>&1 & feed=$!; }

go build -o "$work/cdc" ./deploy/test/cdc

# Three transactions around the making of the slot. PostgreSQL waits for those that run
# when it begins, and once more for those that run then; what the third one changes stands
# before the snapshot in the log, is not in it, and is newer than it.
session() { # session NAME FD: a psql that reads from the descriptor
  mkfifo "$work/$1"
  psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d civil <"$work/$1" >>"$work/sessions.log" 2>&1 &
  eval "exec $2>\"$work/$1\""
}
waiting() { psql -h 127.0.0.1 -p "$pgport" -U postgres -d civil -Atc "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%CREATE_REPLICATION_SLOT%' AND wait_event_type = 'Lock'" | grep -qx 1; }
changed() { psql -h 127.0.0.1 -p "$pgport" -U postgres -d civil -Atc "SELECT count(*) FROM pg_locks WHERE relation = '$1'::regclass AND mode = 'RowExclusiveLock'" | grep -qx "$2"; }
# Debezium is killed before its offsets are on disk, rows go while nobody looks, and its
# snapshot is taken again: what it does not hold any more must go here too.
start_house
start_feed
"$work/cdc" arrived "$kafka" '"snapshot":"last' # of both tables: the last row that was read
stop "$feed" -KILL
sql "DELETE FROM person WHERE id % 10 = 7; DELETE FROM place WHERE no % 10 = 1; UPDATE person SET name = 'between' WHERE id = 4; UPDATE place SET name = 'between' WHERE no = 2"
until_ok 60 "the slot to be free" sql "SELECT pg_drop_replication_slot('debezium')"
rm -f "$work/offsets"

session first 7; session second 8; session third 9
echo "BEGIN; UPDATE person SET note = 'open when the slot was asked for' WHERE id = 1;" >&7
until_ok 20 "first transaction" changed person 1
start_feed
until_ok 180 "Debezium to make its slot" waiting
echo "BEGIN; UPDATE person SET note = 'open when the slot began' WHERE id = 2;" >&8
until_ok 20 "second transaction" changed person 2
echo "COMMIT;" >&7
sleep 3
echo "BEGIN; UPDATE person SET note = 'changed before the snapshot, not in it' WHERE id % 10 = 4;" >&9
until_ok 20 "third transaction" changed person 2
echo "COMMIT;" >&8
"$work/cdc" arrived "$kafka" '"name":"between"' # the second snapshot has begun
echo "COMMIT;" >&9
exec 7>&- 8>&- 9>&-

for round in ${CDC_ROUNDS:-1 2 3}; do
  psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d civil -v ON_ERROR_STOP=1 -v round=$round -f deploy/test/cdc/changes.sql
  sleep 7 # offsets are on disk, and older than what comes now
  sql "UPDATE person SET note = 'sent twice' WHERE id % 17 = $round; DELETE FROM person WHERE id % 19 = $round"
  sleep 1
  stop "$feed" -KILL
  psql -q -h 127.0.0.1 -p "$pgport" -U postgres -d civil -v ON_ERROR_STOP=1 -v round=1$round -f deploy/test/cdc/changes.sql
  [ $round = 2 ] && { stop "$house" -KILL; start_house; sql "TRUNCATE place"; }
  start_feed
done
sql "INSERT INTO person (id, name) VALUES (999999, 'last'); INSERT INTO place (area, no, name) VALUES ('last', 0, 'last')"
"$work/cdc" arrived "$kafka" '"name":"last"'
stop "$feed"; feed=
"$work/cdc" read "$kafka"
stop "$house"; house=
"$work/cdc" compare "$work/mulu" "postgres://postgres@127.0.0.1:$pgport/civil" deploy/test/cdc/declarations
