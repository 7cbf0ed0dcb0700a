#!/usr/bin/env bash
# scripts/test.sh [PRESET] [CTEST ARGUMENTS...]: installs, builds and runs all tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}
[ $# -gt 0 ] && shift

scripts/build.sh "$preset"
# Spinning OpenMP threads ruin two busy processes on two cores.
export OMP_WAIT_POLICY=passive
if [ "$preset" = tsan ]; then
  # Only what we compiled is instrumented: see docs/THREADING.md.
  export TSAN_OPTIONS=${TSAN_OPTIONS:-ignore_noninstrumented_modules=1 suppressions=$PWD/tests/tsan.supp}
  exec setarch "$(uname -m)" -R ctest --test-dir "build/$preset" --output-on-failure "$@"
fi
exec ctest --test-dir "build/$preset" --output-on-failure "$@"
