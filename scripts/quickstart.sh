#!/usr/bin/env bash
# From a bare Debian 12 to a Pareto front of quantized sub-networks, measured by real workers:
# installs packages, builds a release, starts a coordinator and two workers on loopback, pushes the
# shipped tiny model, searches, and prints the front.
#
#   scripts/quickstart.sh [--keep] [--evaluations N] [--seed N]
#     --keep           leave coordinator and workers running and print their addresses
#     --evaluations N  architectures to measure (default 64)
#     --seed N         seed of the search (default 1)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

keep=0
evaluations=64
seed=1
usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=1 ;;
    --evaluations) evaluations=${2:?--evaluations needs a number}; shift ;;
    --seed) seed=${2:?--seed needs a number}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart.sh: error: unknown option $1; allowed: --keep, --evaluations N, --seed N" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }
began=$SECONDS

say "Packages and build (the first time takes minutes, later ones only what changed)"
scripts/build.sh release oqat oqat-server oqat-worker
bin=$PWD/build/release/bin
built=$SECONDS

data=$PWD/data/quickstart-$(date +%Y%m%d-%H%M%S)-$$
mkdir -p "$data"

# Everything this script starts is stopped when it ends, however it ends; only --keep leaves it.
pids=()
stop_all() {
  local status=$?
  if [ $keep -eq 1 ] && [ $status -eq 0 ]; then return; fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ $status -eq 0 ] || echo "quickstart.sh: stopped with an error; logs are in $data" >&2
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "One coordinator and two workers on loopback"
setsid "$bin/oqat-server" --listen 127.0.0.1:0 --data "$data/server" --port-file "$data/port" \
  >"$data/server.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do
  [ -s "$data/port" ] && break
  kill -0 "${pids[0]}" 2>/dev/null || { cat "$data/server.log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$data/port" ] || { echo "quickstart.sh: the coordinator did not start in 10 s" >&2; exit 1; }
address=127.0.0.1:$(cat "$data/port")
export OQAT_SERVER=$address OMP_WAIT_POLICY=passive
for i in 1 2; do
  setsid "$bin/oqat-worker" --coordinator "$address" --id "worker-$i" --cache "$data/worker-$i" \
    >"$data/worker-$i.log" 2>&1 &
  pids+=($!)
done
echo "coordinator $address (process ${pids[0]}), workers ${pids[1]} and ${pids[2]}"

say "The shipped model: models/tiny"
"$bin/oqat" model push models/tiny --name tiny

say "Search: $evaluations evaluations"
searched=$SECONDS
"$bin/oqat" search create --model tiny --name quickstart --evaluations "$evaluations" \
  --seed "$seed" --wait >"$data/search.txt"
searched=$((SECONDS - searched))

say "The Pareto front"
"$bin/oqat" front quickstart

cat <<EOF

Build $((built - began)) s, search $searched s.
  programs    $bin
  database    $data/server
  logs        $data/server.log, worker-1.log, worker-2.log
EOF
if [ $keep -eq 1 ]; then
  cat <<EOF
Still running (--keep): coordinator $address.
  use it      export OQAT_SERVER=$address; $bin/oqat search list
  stop it     kill ${pids[*]}
EOF
else
  echo "Everything started has been stopped; \`scripts/quickstart.sh --keep\` leaves it running."
fi
