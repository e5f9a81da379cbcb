#!/usr/bin/env bash
# One node of the Kafka cluster of kafka.sh, for that script and for `mulu torture
# --broker-kill/--broker-start`:
#   kafka-node.sh start DIR N     start node N and wait until it serves
#   kafka-node.sh kill DIR        kill -9 a node, a different one each time
#   kafka-node.sh restart DIR     start the one that was killed last
# DIR holds node-N.properties, node-N.pid, node-N.log.
set -euo pipefail
jars=$(cd "$(dirname "$0")/../.." && pwd)/.cache/kafka
verb=$1 dir=$2

start() {
  : >"$dir/node-$1.log"
  setsid java -Xmx384m -cp "$jars/*" kafka.Kafka "$dir/node-$1.properties" >>"$dir/node-$1.log" 2>&1 </dev/null &
  echo $! >"$dir/node-$1.pid"
  for _ in $(seq 240); do
    grep -q 'Kafka Server started' "$dir/node-$1.log" && return 0
    kill -0 "$(cat "$dir/node-$1.pid")" 2>/dev/null || break
    sleep 0.5
  done
  echo "Kafka 节点 $1 没有启动 / node $1 did not start:"
  tail -20 "$dir/node-$1.log"
  return 1
}

case $verb in
start) start "$3" ;;
kill)
  last=$(cat "$dir/killed" 2>/dev/null || echo 0)
  n=$((last % 3 + 1))
  echo $n >"$dir/killed"
  kill -9 "$(cat "$dir/node-$n.pid")"
  ;;
restart) start "$(cat "$dir/killed")" ;;
*) echo "usage: $0 start|kill|restart DIR [N]"; exit 2 ;;
esac
