#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "space/search_space.h"

namespace oqat::supernet {

/// The folder that one training writes: checkpoints, evaluation set, metrics.jsonl, model.json.
/// Everything but the metrics log (one JSON object a line, flushed as it grows) appears whole.
class RunFolder {
 public:
  /// Throws Error ALREADY_EXISTS if a training was there before: hours of work are not overwritten
  /// by a repeated command.
  static void CheckUnused(const std::string& path);

  /// Makes the folder. Throws Error; see CheckUnused.
  explicit RunFolder(const std::string& path);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  static constexpr const char* kEvaluationSet = "evaluation_set.safetensors";
  static constexpr const char* kMetrics = "metrics.jsonl";
  static constexpr const char* kModel = "model.json";
  static std::string CheckpointName(int bits);  ///< "float.ckpt.safetensors", "b4.safetensors"

  std::string PathOf(const std::string& name) const;
  void Log(const Json& line);

  /// model.json, what `oqat model push` reads. `bits`: the quantized stages, in order.
  void WriteModel(const space::SearchSpace& space, const std::vector<int>& bits);

 private:
  std::string path_;
  std::FILE* metrics_ = nullptr;
};

}  // namespace oqat::supernet
