#!/usr/bin/env bash
# The demo's whole journey on a real Apache Kafka (one KRaft node on loopback).
# The broker's jars come from Maven; nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in mvn java; do
  command -v $tool >/dev/null || { echo "not run: test-kafka (no $tool on this machine)"; exit 0; }
done
jars=.cache/kafka
[ -f "$jars/.done" ] || { mvn -q -B -f deploy/test/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars" && touch "$jars/.done"; }

work=$(mktemp -d)
cat >"$work/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:19493
listeners=PLAINTEXT://127.0.0.1:19492,CONTROLLER://127.0.0.1:19493
advertised.listeners=PLAINTEXT://127.0.0.1:19492
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.dirs=$work/kafka
CONF
kafka() { java -Xmx512m -cp "$jars/*" "$@"; }
kafka kafka.tools.StorageTool format -t "$(kafka kafka.tools.StorageTool random-uuid 2>/dev/null)" -c "$work/server.properties" >/dev/null 2>&1
kafka kafka.Kafka "$work/server.properties" >"$work/kafka.log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 120); do
  grep -q 'Kafka Server started' "$work/kafka.log" && break
  kill -0 $pid 2>/dev/null || { tail -20 "$work/kafka.log"; exit 1; }
  sleep 0.5
done
bin/mulu demo --data "$work/mulu" --brokers 127.0.0.1:19492 --listen 127.0.0.1:18481
