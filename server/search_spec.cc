// SPDX-License-Identifier: Apache-2.0
#include "server/search_spec.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "search/early_stop.h"
#include "server/worker_pool.h"

namespace oqat::server {
namespace {

void CheckImages(const char* field, std::int64_t asked, std::int64_t there) {
  if (asked < 0 || asked > there) {
    throw InvalidField(field, std::to_string(asked),
                       "0 (all) to " + std::to_string(there) + ", what the evaluation set holds");
  }
}

}  // namespace

space::SearchSpace SearchableSpace(const artifacts::Model& model) {
  space::SearchSpace space = model.space;
  std::erase_if(space.bits, [&](int bits) {
    return std::none_of(model.checkpoints.begin(), model.checkpoints.end(),
                        [&](const auto& checkpoint) { return checkpoint.bits == bits; });
  });
  return space;
}

void CheckSpec(const ServedModel& model, const SearchSpec& spec) {
  const space::SearchSpace space = SearchableSpace(model.model);
  search::CheckRequest(space, spec.request);
  search::CheckReachable(space, spec.request);
  const space::Measurement& how = spec.measurement;
  CheckImages("calibration_images", how.calibration_images, model.calibration_images);
  CheckImages("search_images", how.search_images, model.search_images);
  space::CheckEngine(how.engine, "engine");
  if (how.early_stop) search::CheckEarlyStop(spec.request);
  if (!spec.measures_latency()) {
    if (!how.cpu.empty()) {
      throw InvalidField("cpu", how.cpu, "nothing, where no objective or constraint is latency_ms");
    }
    return;
  }
  // LibTorch's time on a worker says nothing about the deployed integers.
  if (how.engine != "int8") throw InvalidField("engine", how.engine, "int8, to measure latency_ms");
  if (how.cpu.empty() || how.cpu.size() > WorkerPool::kMaxText) {
    throw InvalidField("cpu", how.cpu.empty() ? "nothing" : "a longer text",
                       "the processor to measure latency_ms on, as its workers name it, at most " +
                           std::to_string(WorkerPool::kMaxText) + " bytes");
  }
}

}  // namespace oqat::server
