#!/usr/bin/env bash
# Real Apache Kafka: three KRaft nodes on loopback, replication 3, two in sync. First
# the demo's whole journey, then torture, in which nodes are killed too. The brokers'
# jars come from Maven; nothing is left running.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in mvn java; do
  command -v $tool >/dev/null || { echo "not run: test-kafka (no $tool on this machine)"; exit 0; }
done
jars=.cache/kafka
version=$(sed -n 's/.*kafka_2.13<.*<version>\(.*\)<\/version>.*/\1/p' deploy/test/kafka/pom.xml)
[ -f "$jars/kafka_2.13-$version.jar" ] || {
  rm -rf "$jars"
  mvn -q -B -f deploy/test/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars"
}

base=${KAFKA_BASE:-19490} # nodes listen on base+1, +2, +3, controllers on +4, +5, +6
work=$(mktemp -d)
stop() {
  for pid in "$work"/node-*.pid; do kill -9 "$(cat "$pid")" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

quorum=1@127.0.0.1:$((base + 4)),2@127.0.0.1:$((base + 5)),3@127.0.0.1:$((base + 6))
brokers=127.0.0.1:$((base + 1)),127.0.0.1:$((base + 2)),127.0.0.1:$((base + 3))
kafka() { java -Xmx256m -cp "$jars/*" "$@"; }
cluster=$(kafka kafka.tools.StorageTool random-uuid 2>/dev/null)
for n in 1 2 3; do
  cat >"$work/node-$n.properties" <<CONF
process.roles=broker,controller
node.id=$n
controller.quorum.voters=$quorum
listeners=PLAINTEXT://127.0.0.1:$((base + n)),CONTROLLER://127.0.0.1:$((base + 3 + n))
advertised.listeners=PLAINTEXT://127.0.0.1:$((base + n))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=6
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=6000
log.dirs=$work/data-$n
CONF
  kafka kafka.tools.StorageTool format -t "$cluster" -c "$work/node-$n.properties" >"$work/format.log" 2>&1 || { cat "$work/format.log"; exit 1; }
done
starting=()
for n in 1 2 3; do
  deploy/test/kafka-node.sh start "$work" $n &
  starting+=($!)
done
for pid in "${starting[@]}"; do wait "$pid"; done
echo "Apache Kafka $version：三个节点就绪 / three nodes ready ($brokers)"

status=0
bin/mulu demo --data "$work/mulu" --brokers "$brokers" --listen "127.0.0.1:$((base + 7))" || status=$?
# Not "rename": what strace does to the engine is the same on any broker.
scenarios=${SCENARIOS:-kills,freeze,rebalance,broker,aborted,recreated,engine-full,disk-full,poison,updates,control}
bin/mulu torture --scenario "$scenarios" --kills "${KILLS:-10}" --rounds "${ROUNDS:-1}" --seed "${SEED:-1}" \
  --brokers "$brokers" --listen "127.0.0.1:$((base + 7))" \
  --broker-kill "deploy/test/kafka-node.sh kill $work" --broker-start "deploy/test/kafka-node.sh restart $work" || status=$?
exit $status
