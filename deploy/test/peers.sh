#!/usr/bin/env bash
# mulu quality check beside Great Expectations, pandera and Soda Core on the same million
# rows and rules: the counts of every rule must be equal; wall and CPU are put side by
# side. The tools come from PyPI into bin/peers, where mulu bench finds them as well.
# Needs Python 3.10 to 3.12 with venv; no engine and no server.
set -euo pipefail
cd "$(dirname "$0")/../.."
mulu=${MULU:-$PWD/bin/mulu}
venvs=${MULU_PEERS:-$PWD/bin/peers}
rows=${ROWS:-1000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install() { # name, packages
  local dir=$venvs/$1
  shift
  [ -e "$dir/.whole" ] && [ "$(cat "$dir/.whole")" = "$*" ] && return
  rm -rf "$dir"
  python3 -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check "$@" >"$work/pip" 2>&1 ||
    { tail -3 "$work/pip"; echo "not run: test-peers (PyPI has no $* for this Python)"; exit 0; }
  echo "$*" >"$dir/.whole"
}
echo "· 安装对照工具 / installing the peers"
install gx great_expectations==1.24.1 pandera==0.35.0 pandas==3.1.1 pyarrow==26.0.1
install soda soda-core-duckdb==3.5.6 setuptools==75.8.0
cp deploy/test/peers/* "$venvs"

echo "· 生成 $rows 行演示数据 / generating rows"
scale=$(python3 -c "print(round($rows / 1234000, 6))")
"$mulu" sample generate --scale "$scale" --seed 1 --out "$work/district" >/dev/null
"$venvs/gx/bin/python" "$venvs/rows.py" "$work/district/resident.ndjson" "$rows" "$work/resident.csv" "$work/resident.parquet"
rm -r "$work/district"
exec python3 "$venvs/compare.py" "$mulu" "$venvs" "$work"
