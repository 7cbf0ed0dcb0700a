#!/usr/bin/env bash
# What each idea of OQAT is worth, measured: bit inheritance, shared step sizes, the activation range,
# a supernet against networks trained alone. Trains everything, several seeds, and prints one table.
# Whatever is interrupted goes on when the same command is given again; jobs share the cores.
#
#   bench/ablations.sh DATA OUT [--seeds "1 2"] [--images N] [--epochs "F E4 E3 E2"] [--batch N]
#                      [--jobs N] [--device DEVICE] [--set field=value ...]
#     DATA       a data set of oqat-train, for example imagefolder:DIR
#     OUT        folder for the trainings, one each
#     --images   training images used (default 10000; 0: all)
#     --epochs   of the float, 4, 3 and 2 bit stages (default "12 4 4 6")
#     --batch    images per step (default 128); learning rates are proportional to it
#     --jobs     trainings at a time, one thread each (default 1)
#     --device   as oqat-train's (default cpu)
#     --set      a field of the recipe, for all trainings
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage() { sed -n '6,16s/^# \{0,1\}//p' "$0"; }
[ $# -ge 2 ] || { usage >&2; exit 2; }
data=$1 out=$2
shift 2
seeds="1 2" images=10000 epochs="12 4 4 6" batch=128 jobs=1 device=cpu sets=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) seeds=$2 ;;
    --images) images=$2 ;;
    --epochs) epochs=$2 ;;
    --batch) batch=$2 ;;
    --jobs) jobs=$2 ;;
    --device) device=$2 ;;
    --set) sets+=(--set "$2") ;;
    *) echo "ablations.sh: error: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift 2
done
command -v jq >/dev/null || { echo "ablations.sh: error: jq is not installed" >&2; exit 2; }
bin=${OQAT_BIN:-$repo/build/release/bin}
read -r float e4 e3 e2 <<<"$epochs"
quantized=$(jq -n "$e4 + $e3 + $e2") total=$(jq -n "$float + $e4 + $e3 + $e2")
mkdir -p "$out"
rm -f "$out/failed"
export OMP_WAIT_POLICY=passive

stage() { # BITS EPOCHS LEARNING_RATE_AT_128 START
  printf '{"bits":%s,"epochs":%s,"learning_rate":%s,"batch_size":%s,"start":"%s"}' \
    "$1" "$2" "$(jq -n "$3 * $batch / 128")" "$batch" "$4"
}
f=$(stage 32 "$float" 0.1 inherit)
s4=$(stage 4 "$e4" 0.04 inherit) s3=$(stage 3 "$e3" 0.03 inherit) s2=$(stage 2 "$e2" 0.03 inherit)

train() { # NAME SEED ARGUMENTS...: one training, its output beside it
  local name=$1 seed=$2
  shift 2
  "$bin/oqat-train" run --recipe cifar10-cpu --data "$data" --out "$out/$name-$seed" --seed "$seed" \
    --threads 1 --device "$device" --quiet --set "train_images=$images" --set image_size=32 \
    --set evaluation_every=0 --set evaluation_random_subnets=0 \
    "${sets[@]}" "$@" >>"$out/$name-$seed.log" 2>&1 ||
    { echo "ablations.sh: $name, seed $seed failed: $(tail -1 "$out/$name-$seed.log")" >&2
      touch "$out/failed"; return; }
  echo "$(date +%H:%M:%S) $name, seed $seed: done"
}
limit() { while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done; }

for seed in $seeds; do
  limit
  train inherited "$seed" --set "stages=[$f,$s4,$s3,$s2]" &
done
wait
[ ! -e "$out/failed" ] || exit 1
against() { # EXPERIMENT SEED: one training to compare with the inherited one of that seed
  local start=$out/inherited-$2/float.ckpt.safetensors one
  local from_float=(--set "initial_checkpoint=$start")
  case "$1" in
    scratch-equal) train "$1" "$2" --set "stages=[$(stage 2 "$e2" 0.1 scratch)]" ;;
    scratch-total) train "$1" "$2" --set "stages=[$(stage 2 "$total" 0.1 scratch)]" ;;
    float-to-2)
      train "$1" "$2" "${from_float[@]}" --set "stages=[$(stage 2 "$quantized" 0.04 float)]" ;;
    separate)
      train "$1" "$2" "${from_float[@]}" --set "stages=[$s4,$s3,$s2]" --set step_sizes=separate ;;
    unsigned)
      train "$1" "$2" "${from_float[@]}" --set "stages=[$s4,$s3,$s2]" \
        --set activation_range=unsigned ;;
    alone-*)
      # One architecture: a space with one choice everywhere.
      local -A choice=([alone-smallest]=first [alone-median]='.[length / 2 | floor]'
        [alone-largest]=last)
      one=$("$bin/oqat-train" describe "$start" | jq -c ".space | .name = \"one\" |
        reduce (\"resolutions\", \"kernels\", \"expands\", \"depths\") as \$k
        (.; .[\$k] |= [${choice[$1]}])")
      train "$1" "$2" --set "space=$one" --set "stages=[$f,$s4,$s3,$s2]" \
        --set smallest_subnet=false --set random_subnets=0 --set distillation=none ;;
  esac
}
for experiment in scratch-equal separate unsigned float-to-2 scratch-total \
  alone-largest alone-median alone-smallest; do
  for seed in $seeds; do
    limit
    against "$experiment" "$seed" &
  done
done
wait
[ ! -e "$out/failed" ] || exit 1

# The last evaluation of every stage: training, bits, subnet -> search and test top1 of each seed.
echo
printf '%-16s %-6s %-9s %-22s %s\n' training bits subnet "search top1 (seeds)" "test top1 (seeds)"
for folder in "$out"/*-[0-9]*/; do
  name=$(basename "$folder")
  # A space of one architecture has that one as smallest, median and largest: once is enough.
  jq -r --arg name "${name%-*}" 'select(.kind == "evaluation" and .test_top1 != null) |
    select(($name | startswith("alone-") | not) or $name == "alone-" + .subnet) |
    [$name, (if .bits == 32 then "float" else .bits end), .subnet, 100 * .top1, 100 * .test_top1]
    | @tsv' "$folder/metrics.jsonl"
done | LC_ALL=C sort -t $'\t' -k1,1 -k2,2r -k3,3 | awk -F '\t' '
  function show() {
    if (key == "") return
    printf "%-16s %-6s %-9s %6.2f %-15s %6.2f %s\n", part[1], part[2], part[3], search / n,
           "(" searches ")", test / n, "(" tests ")"
  }
  { now = $1 FS $2 FS $3
    if (now != key) { show(); key = now; split(key, part, FS); search = test = n = 0
                      searches = tests = "" }
    search += $4; test += $5; ++n
    searches = searches (n > 1 ? " " : "") sprintf("%.2f", $4)
    tests = tests (n > 1 ? " " : "") sprintf("%.2f", $5) }
  END { show() }'
echo
echo "seconds of training (all stages, one thread):"
for folder in "$out"/*-[0-9]*/; do
  printf '%-20s %6.0f\n' "$(basename "$folder")" \
    "$(jq -s 'map(select(.kind == "stage").seconds) | add' "$folder/metrics.jsonl")"
done
