#!/usr/bin/env bash
# scripts/build.sh [PRESET] [TARGET...]: installs what is missing, configures and builds. A second
# run does only what changed. Binaries: build/PRESET/bin.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
[ $# -gt 0 ] && shift

scripts/install.sh
options=()
command -v ccache >/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" "${options[@]}"

# One compiler of a LibTorch file takes over 1 GB: as many jobs as cores, and 2 GB for each.
memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
jobs=$(nproc)
[ "$jobs" -gt $((memory_gb / 2)) ] && jobs=$((memory_gb / 2 > 0 ? memory_gb / 2 : 1))
cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"}
