#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "artifacts/safetensors.h"
#include "base/json.h"

namespace oqat::supernet {

/// Everything that an interrupted training needs to go on as if nothing had happened. On disk: one
/// safetensors file that is replaced whole, its metadata entry "oqat_training" the JSON of all but
/// the tensors.
struct TrainState {
  /// What is trained: recipe, space, data, seed. A resumed training must ask for the same.
  Json identity = Json::object();
  std::size_t stage = 0;   ///< index; the number of stages when all is done
  std::int64_t steps = 0;  ///< made in this stage
  double progress = 0;     ///< share of this stage
  double seconds = 0;      ///< of all training so far
  double stage_seconds = 0;
  std::uint64_t metrics_bytes = 0;  ///< of metrics.jsonl that belong to this state
  Json running = Json::object();    ///< sums of losses that are not logged yet
  std::vector<int> fresh_steps;     ///< convolutions whose step sizes are not initialised yet
  Json finished = Json::array();    ///< reports of the stages before
  /// "net.NAME" and, within a stage, "momentum.GROUP.INDEX".
  std::map<std::string, artifacts::Tensor> tensors;
};

/// Throws Error RESOURCE_EXHAUSTED on a full disk; what was there before stays.
void WriteTrainState(const std::string& path, const TrainState& state);

/// Throws Error: NOT_FOUND, DATA_LOSS (damaged), INVALID_ARGUMENT (no training state).
TrainState ReadTrainState(const std::string& path);

/// "recipe.momentum: 0.9 there, 0.8 here; ...", up to five differences; empty if there are none.
std::string DifferencesOf(const Json& there, const Json& here);

}  // namespace oqat::supernet
