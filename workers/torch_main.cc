// oqat-worker-torch: measures subnets by fake quantization in LibTorch. Started by
// `oqat-worker --engine torch`, or by itself.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "workers/torch_evaluator.h"
#include "workers/worker_main.h"

namespace {

// OpenMP and OpenBLAS read their environment while they are loaded, before main: set it, then start
// again. Evaluations are parallel by having several at a time, each in one thread; threads within
// one would make results depend on their number, and spinning ones ruin two busy processes.
void RestartWithQuietThreads(char** argv) {
  constexpr std::array<std::array<const char*, 2>, 3> kSettings{
      {{"OMP_NUM_THREADS", "1"}, {"OMP_WAIT_POLICY", "passive"}, {"OPENBLAS_NUM_THREADS", "1"}}};
  bool changed = false;
  for (const auto& [name, value] : kSettings) {
    const char* present = std::getenv(name);
    if (present != nullptr && std::string(present) == value) continue;
    if (::setenv(name, value, 1) != 0) return;
    changed = true;
  }
  if (!changed) return;
  std::array<char, 4096> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return;
  ::execv(path.data(), argv);  // if it fails, we go on: slower, not wrong
}

}  // namespace

int main(int argc, char** argv) {
  RestartWithQuietThreads(argv);
  return oqat::workers::WorkerMain(
      argc, argv,
      {"oqat-worker-torch",
       "torch",
       "oqat-worker",
       [] { return std::make_unique<oqat::workers::TorchEvaluator>(); },
       {}});
}
