#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "supernet/train/recipe.h"

namespace oqat::supernet {

struct TrainRequest {
  Recipe recipe;  ///< its `data` and `space` are used
  std::string out_folder;
  std::uint64_t seed = 1;
  int threads = 1;         ///< intra-op threads; one thread makes runs reproduce bit by bit
  double max_minutes = 0;  ///< whole run, wall clock; epochs are cut to fit; 0: no limit
  bool progress = true;    ///< bars on stderr
  /// Called with lines for people (stages, scores, warnings); may be empty.
  std::function<void(const std::string&)> say;
};

struct SubnetScore {
  std::string name;  ///< "smallest", "random-1", ..., "largest"
  space::Architecture architecture;
  double top1 = 0;  ///< on search images, BatchNorm recalibrated
  double loss = 0;  ///< nats
};

struct StageReport {
  int bits = 0;
  std::string file;  ///< of the checkpoint
  std::string sha256;
  std::int64_t steps = 0;
  double seconds = 0;  ///< training, without the evaluation
  std::vector<SubnetScore> scores;
};

struct TrainReport {
  std::vector<StageReport> stages;
  std::string evaluation_set_sha256;
};

/// Trains a supernet: float, then each quantized width from the one before (OQAT, Shen et al. 2021:
/// joint training with one shared step size per tensor, bit inheritance). Writes everything that
/// docs/TRAINING.md lists into the folder. Throws Error; checkpoints of finished stages stay.
TrainReport Train(const TrainRequest& request);

}  // namespace oqat::supernet
