#!/bin/sh
# How busy 16 workers are kept: a coordinator, 16 workers that take 100 ms +- 50 % to make a
# measurement up, one search for each lag. Lag 1 is a barrier after every round.
#   bench/utilisation.sh [EVALUATIONS] [BUILD_DIR]
# The last measurements, of the front on the test split, count as well.
# Prints seconds and the share of the workers' time that was spent measuring.
set -eu
count=${1:-1600}
bin=$(cd "${2:-build/release}" && pwd)/bin
workers=16 delay=100
data=$(mktemp -d)
pids=""
trap 'kill $pids 2>/dev/null; wait; rm -rf "$data"' EXIT INT TERM

"$bin/oqat-server" --listen 127.0.0.1:0 --data "$data/server" --port-file "$data/port" \
  >"$data/server.log" 2>&1 &
pids=$!
while [ ! -s "$data/port" ]; do sleep 0.05; done
OQAT_SERVER=127.0.0.1:$(cat "$data/port")
export OQAT_SERVER
root=$(cd "$(dirname "$0")/.." && pwd)
"$bin/oqat" model push "$root/models/tiny" --name tiny >/dev/null 2>&1
for i in $(seq $workers); do
  "$bin/oqat-fake-worker" --coordinator "$OQAT_SERVER" --id "w$i" --cache "$data/cache$i" \
    --delay-ms $delay --delay-spread 0.5 >/dev/null 2>&1 &
  pids="$pids $!"
done
search="$bin/oqat search create --model tiny --wait --json"
# Afterwards every worker has what it needs.
$search --evaluations 64 --seed 99 --strategy random >/dev/null 2>&1
for size in 16 32; do
  search="$bin/oqat search create --model tiny --wait --json --round-size $size"
  for lag in 1 2 3; do
    # Seconds, fractions included, and what was really measured: not what the cache had.
    set -- $($search --evaluations "$count" --seed "$size$lag" --strategy random --lag $lag \
      2>/dev/null | jq -r 'def s: capture("(?<t>[^.Z]+)(?<f>\\.[0-9]+)?Z") |
        ((.t + "Z") | fromdateiso8601) + ((.f // "0") | tonumber);
        .search | .progress as $p | (.end_time | s) - (.create_time | s),
        $p.evaluations_done - $p.evaluations_cached + $p.final_total')
    awk -v what="rounds of $size, lag $lag" -v s="$1" -v n="$2" -v d=$delay -v w=$workers \
      'BEGIN { printf "%s: %d measurements in %.2f s, workers busy %.1f %%\n", what, n, s,
               n * d / 10 / w / s }'
  done
done
