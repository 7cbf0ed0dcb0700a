// oqat-worker: measures subnets in integer arithmetic, for a coordinator or here and now.
#include "workers/int8_bench.h"
#include "workers/int8_evaluator.h"
#include "workers/worker_main.h"

int main(int argc, char** argv) {
  const auto files = std::make_shared<oqat::workers::Int8Files>();
  return oqat::workers::WorkerMain(
      argc, argv,
      {"oqat-worker", "int8", "oqat-worker-torch",
       [files] { return std::make_unique<oqat::workers::Int8Evaluator>(files); },
       oqat::workers::AddInt8Bench});
}
