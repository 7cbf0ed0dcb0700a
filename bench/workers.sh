#!/bin/sh
# Two workers against one: the same random search, measured by real processes on this machine.
#   bench/workers.sh MODEL_DIR [EVALUATIONS] [BUILD_DIR]
# Prints, per run, seconds and the workers' largest memory, then the ratio.
set -eu
model=${1:?"usage: bench/workers.sh MODEL_DIR [EVALUATIONS] [BUILD_DIR]"}
count=${2:-64}
bin=$(cd "${3:-build/release}" && pwd)/bin
data=$(mktemp -d)
pids=""
trap 'kill $pids 2>/dev/null; wait; rm -rf "$data"' EXIT INT TERM

# seconds_with WORKERS
seconds_with() {
  rm -rf "$data/server" "$data/port"
  "$bin/oqat-server" --listen 127.0.0.1:0 --data "$data/server" --port-file "$data/port" \
    >"$data/server.log" 2>&1 &
  pids=$!
  while [ ! -s "$data/port" ]; do sleep 0.05; done
  OQAT_SERVER=127.0.0.1:$(cat "$data/port")
  export OQAT_SERVER
  "$bin/oqat" model push "$model" --name bench >/dev/null 2>&1
  workers=""
  for i in $(seq "$1"); do
    "$bin/oqat-worker" --coordinator "$OQAT_SERVER" --id "w$i" --cache "$data/cache" \
      >"$data/w$i.log" 2>&1 &
    workers="$workers $!"
  done
  pids="$pids $workers"
  search="$bin/oqat search create --model bench --strategy random --wait"
  # Afterwards everything is downloaded and loaded.
  $search --evaluations 8 --seed 99 >/dev/null 2>&1
  begin=$(date +%s%N)
  $search --evaluations "$count" --seed 5 >/dev/null 2>&1
  end=$(date +%s%N)
  for pid in $workers; do
    echo "  worker: $(sed -n 's/^VmHWM:[[:space:]]*//p' "/proc/$pid/status") at most" >&2
  done
  kill $pids
  wait $pids 2>/dev/null || true
  pids=""
  echo $(((end - begin) / 1000000))
}

one=$(seconds_with 1)
echo "one worker: $count evaluations in $one ms"
two=$(seconds_with 2)
echo "two workers: $count evaluations in $two ms, $(awk "BEGIN { printf \"%.2f\", $one / $two }") times as fast"
