#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "workers/evaluator.h"

namespace oqat::workers {

/// `oqat-worker evaluate`: architectures of one file measured here, without a coordinator.
struct LocalEvaluationRequest {
  std::vector<std::string>
      checkpoints;             ///< files, one per bit width; with `model_dir`, in addition
  std::string model_dir;       ///< a folder with model.json; may be empty
  std::string evaluation_set;  ///< file; overrides the model's
  std::string architectures;   ///< JSON file of one architecture or an array, "-": stdin
  std::string split = "search";
  std::int64_t calibration_images = 0;
  std::int64_t images = 0;
  std::int64_t batch_size = 100;
  bool latency = false;
};

struct LocalEvaluation {
  space::Architecture architecture;
  std::string key;
  space::MetricValues metrics;  ///< costs and measured ones
  std::int64_t images = 0;
  double seconds = 0;
  std::string cpu;  ///< that the latency was measured on; empty without
};

/// Measures them in the file's order. Everything is checked before the first is measured. Throws
/// Error naming the option or file. `progress` takes (architectures done, all of them).
std::vector<LocalEvaluation> EvaluateLocally(const LocalEvaluationRequest& request,
                                             Evaluator& evaluator,
                                             const std::function<void(double, double)>& progress);

/// An array of {"architecture":{...},"key":..,"metrics":{...},"images":N,"seconds":..}, and
/// "cpu" where latencies were measured.
Json LocalEvaluationsToJson(const std::vector<LocalEvaluation>& evaluations);

/// One line each, for people.
std::string LocalEvaluationsTable(const std::vector<LocalEvaluation>& evaluations);

}  // namespace oqat::workers
