#!/usr/bin/env bash
# kill -9 at the very rename that makes an inserted part visible. A kill by time never
# hits this moment, and deduplication tokens lost rows exactly there.
set -euo pipefail
cd "$(dirname "$0")/../.."
strace=$(command -v strace) || { echo "not run: rename kills (no strace on this machine)"; exit 0; }
"$strace" -o /dev/null true 2>/dev/null || { echo "not run: rename kills (ptrace is not permitted here)"; exit 0; }
# strace counts renames by thread, so a run may miss: up to three are tried.
for seed in 11 12 13; do
  out=$(bin/mulu torture --kills "${KILLS:-20}" --seed $seed --json --strace "$strace" \
    --listen "${LISTEN:-127.0.0.1:18491}" --kafka "${KAFKA:-127.0.0.1:19491}")
  echo "$out"
  if grep -q '"part rename": [1-9]' <<<"$out"; then exit 0; fi
done
echo "no kill hit a part's rename: this proves nothing"
exit 1
