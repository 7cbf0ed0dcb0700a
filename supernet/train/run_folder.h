#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "space/search_space.h"
#include "supernet/train/metrics_log.h"
#include "supernet/train/train_state.h"

namespace oqat::supernet {

/// The folder that one training writes: state, checkpoints, evaluation set, metrics.jsonl with
/// TensorBoard's event files, model.json. Everything but the metrics, which grow line by line,
/// appears whole.
class RunFolder {
 public:
  /// The state of the training that was there before, if one was. Throws Error ALREADY_EXISTS for a
  /// folder that holds a training without a state (hours of work are not overwritten), and what
  /// ReadTrainState throws.
  static std::optional<TrainState> StateIn(const std::string& path);

  /// Makes the folder if need be, and cuts metrics.jsonl to `metrics_bytes`: what came later
  /// belongs to steps that will be made again. Throws Error.
  RunFolder(const std::string& path, std::uint64_t metrics_bytes);

  static constexpr const char* kEvaluationSet = "evaluation_set.safetensors";
  static constexpr const char* kMetrics = MetricsLog::kFile;
  static constexpr const char* kModel = "model.json";
  static constexpr const char* kState = "state.safetensors";
  static std::string CheckpointName(int bits);  ///< "float.ckpt.safetensors", "b4.safetensors"

  std::string PathOf(const std::string& name) const;
  void Log(const Json& line) { metrics_->Log(line); }  ///< see MetricsLog
  std::uint64_t metrics_bytes() const { return metrics_->bytes(); }

  /// model.json, what `oqat model push` reads. `bits`: the quantized stages, in order.
  void WriteModel(const space::SearchSpace& space, const std::vector<int>& bits);

 private:
  std::string path_;
  std::optional<MetricsLog> metrics_;
};

}  // namespace oqat::supernet
