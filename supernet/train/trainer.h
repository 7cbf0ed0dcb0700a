#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "supernet/train/recipe.h"
#include "supernet/train/stage_report.h"

namespace oqat::supernet {

struct TrainRequest {
  Recipe recipe;  ///< its `data` and `space` are used
  std::string out_folder;
  std::uint64_t seed = 1;
  std::string device = "cpu";  ///< or "cuda", "cuda:N"
  int threads = 1;             ///< intra-op threads; one thread makes runs reproduce bit by bit
  double max_minutes = 0;  ///< whole run, interruptions not counted; epochs are cut to fit; 0: none
  double save_minutes = 5;  ///< between saved states
  bool progress = true;     ///< bars on stderr
  /// Called with lines for people (stages, scores, warnings); may be empty.
  std::function<void(const std::string&)> say;
  /// If not null and set: the training saves its state after the step at hand and stops.
  const std::atomic<bool>* stop = nullptr;
};

struct TrainReport {
  std::vector<StageReport> stages;
  std::string evaluation_set_sha256;
};

/// Trains a supernet: float, then each quantized width from the one before (OQAT, Shen et al. 2021:
/// joint training with one shared step size per tensor, bit inheritance). Writes everything that
/// docs/TRAINING.md lists into the folder. A folder with an unfinished training of the same request
/// goes on where its state was saved, on one thread with the same bits as if it had never stopped;
/// a finished one is reported again. Throws Error: ALREADY_EXISTS for a folder with another
/// training, naming the differences; CANCELLED when `stop` was set; FAILED_PRECONDITION when a loss
/// is not finite. The last saved state and the checkpoints of finished stages stay.
TrainReport Train(const TrainRequest& request);

}  // namespace oqat::supernet
