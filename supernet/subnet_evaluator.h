#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_protocol.h"
#include "space/architecture.h"

namespace oqat::supernet {

/// Evaluates subnets of one checkpoint by fake quantization in LibTorch: slice, recalibrate
/// BatchNorm on the calibration images, count. One intra-op thread, so results do not depend on the
/// machine's core count. Not thread-safe. Every c10::Error leaves as oqat::Error.
class SubnetEvaluator {
 public:
  /// Throws Error INVALID_ARGUMENT for a checkpoint with missing, extra, mis-shaped or non-finite
  /// tensors, naming the tensor.
  explicit SubnetEvaluator(const artifacts::Checkpoint& checkpoint);
  ~SubnetEvaluator();

  /// `progress` (done, total images) may return false to stop: Error CANCELLED is thrown.
  artifacts::EvaluationResult Evaluate(const space::Architecture& architecture,
                            const artifacts::EvaluationSet& set, const artifacts::EvaluationProtocol& protocol,
                            const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oqat::supernet
