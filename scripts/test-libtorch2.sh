#!/usr/bin/env bash
# Builds oqat-train alone (-DOQAT_ONLY_TRAIN=ON) against LibTorch 2.x and GCC 14 in a Debian 13
# chroot, runs its tests there, trains a few steps, and reads the checkpoint with this tree's own
# build where there is one. The chroot has no gRPC, Boost, SQLite, OpenSSL or image libraries, so
# this is also the test that oqat-train does without them. Too slow for scripts/test.sh.
#
#   scripts/test-libtorch2.sh [--root DIR] [CMAKE ARGUMENTS...]
#     --root DIR   where the chroot is made and kept (default /var/tmp/oqat-libtorch2; 2.5 GB)
#
# Needs root, debootstrap and the network for Debian's packages. A second run uses the chroot that
# is there and builds only what changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=/var/tmp/oqat-libtorch2
case "${1:-}" in
  -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --root) root=${2:?--root needs a folder}; shift 2 ;;
esac
[ "$(id -u)" -eq 0 ] || { echo "test-libtorch2.sh: error: run as root (chroot)" >&2; exit 1; }

# A mount of /proc that ends with the command: LibTorch asks it what the processor can do.
inside() {
  unshare --mount --fork bash -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "${@}"' "$root" "$@"
}

if [ ! -e "$root/.oqat-ready" ]; then
  command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap
  debootstrap --variant=minbase --include=ca-certificates trixie "$root" http://deb.debian.org/debian
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -q -y --no-install-recommends \
    ccache cmake g++ libcli11-dev libgmock-dev libgtest-dev libopenblas0-pthread libtorch-dev \
    ninja-build nlohmann-json3-dev
  touch "$root/.oqat-ready"
fi

# The tree as it is, uncommitted files included. Kept times of change keep the build incremental.
rm -rf "$root/src"
mkdir "$root/src"
git ls-files -z --cached --others --exclude-standard |
  tar --create --null --files-from - --ignore-failed-read | tar --extract --directory "$root/src"

began=$SECONDS
# GCC 14 sees an overrun in libstdc++'s vector<bool>::reserve, where LibTorch's header calls it.
inside cmake -G Ninja -S /src -B /build -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 \
  -DCMAKE_CXX_FLAGS=-Wno-error=array-bounds -DOQAT_ONLY_TRAIN=ON -DOQAT_WERROR=ON \
  -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"
inside nice -n 15 cmake --build /build -j "$(nproc)" -- -k 0
echo "== built in $((SECONDS - began)) s"
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
inside ctest --test-dir /build --output-on-failure

echo "== a training of a few steps"
rm -rf "$root/run"
inside /build/bin/oqat-train run --recipe tiny --data synthetic:train=400,test=100 --quiet \
  --out /run --set split.search=100 --set split.test=100 --set split.calibration=64 \
  --set 'stages=[{"bits":32,"epochs":1,"batch_size":32},{"bits":4,"epochs":0.5,"batch_size":32}]'
inside /build/bin/oqat-train describe /run/b4.safetensors >"$root/run/there.json"
here=build/release/bin/oqat-train
if [ -x "$here" ]; then
  "$here" describe "$root/run/b4.safetensors" | sed "s|$root||" >"$root/run/here.json"
  cmp "$root/run/there.json" "$root/run/here.json"
  echo "== $here reads the same from that checkpoint"
fi
