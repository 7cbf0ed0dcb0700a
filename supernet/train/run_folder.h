#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "space/search_space.h"
#include "supernet/train/metrics_log.h"

namespace oqat::supernet {

/// The folder that one training writes: checkpoints, evaluation set, metrics.jsonl with
/// TensorBoard's event files, model.json. Everything but the metrics, which grow line by line,
/// appears whole.
class RunFolder {
 public:
  /// Throws Error ALREADY_EXISTS if a training was there before: hours of work are not overwritten
  /// by a repeated command.
  static void CheckUnused(const std::string& path);

  /// Makes the folder, or, with `resume_at`, goes on in one that holds a training: its metrics log
  /// is cut to that many bytes (see MetricsLog). Throws Error; see CheckUnused.
  explicit RunFolder(const std::string& path, std::optional<std::uint64_t> resume_at = {});

  static constexpr const char* kEvaluationSet = "evaluation_set.safetensors";
  static constexpr const char* kMetrics = MetricsLog::kFile;
  static constexpr const char* kModel = "model.json";
  static std::string CheckpointName(int bits);  ///< "float.ckpt.safetensors", "b4.safetensors"

  std::string PathOf(const std::string& name) const;

  /// A line of metrics.jsonl and its scalars for TensorBoard.
  void Log(const Json& line) { metrics_->Log(line); }
  std::uint64_t metrics_bytes() const { return metrics_->bytes(); }  ///< what `resume_at` takes

  /// model.json, what `oqat model push` reads. `bits`: the quantized stages, in order.
  void WriteModel(const space::SearchSpace& space, const std::vector<int>& bits);

 private:
  std::string path_;
  std::optional<MetricsLog> metrics_;
};

}  // namespace oqat::supernet
