#!/bin/sh
# How busy 16 workers are kept: a coordinator, 16 workers that take 100 ms +- 50 % to make a
# measurement up, one search for each lag. Lag 1 is a barrier after every round.
#   bench/utilisation.sh [EVALUATIONS] [BUILD_DIR]
# Prints seconds and the share of the workers' time that was spent measuring.
set -eu
count=${1:-800}
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
search="$bin/oqat search create --model tiny --wait --json --round-size $workers"
# Afterwards every worker has what it needs.
$search --evaluations 64 --seed 99 --strategy random >/dev/null 2>&1
for strategy in random predictor_nsga2; do
  for lag in 1 2 3; do
    seconds=$($search --evaluations "$count" --seed "$lag" --strategy $strategy --lag $lag \
      2>/dev/null | jq '.search | (.end_time | sub("\\.[0-9]+"; "") | fromdateiso8601) -
        (.create_time | sub("\\.[0-9]+"; "") | fromdateiso8601)')
    echo "$strategy, lag $lag: $count evaluations in $seconds s, workers busy" \
      "$(awk "BEGIN { printf \"%.1f\", $count * $delay / 10 / $workers / $seconds }") %"
  done
done
