#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "space/architecture.h"

namespace oqat::supernet {

/// How a subnet is measured; part of an evaluation's identity.
struct EvaluationProtocol {
  artifacts::Split split = artifacts::Split::kSearch;
  std::int64_t calibration_images = 0;  ///< 0: all of the set's
  std::int64_t images = 0;              ///< of the split, from its start; 0: all
  std::int64_t batch_size = 100;
};

struct EvaluationResult {
  double top1 = 0;  ///< 0 to 1
  double loss = 0;  ///< mean cross-entropy, nats
  std::int64_t images = 0;
};

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
  EvaluationResult Evaluate(const space::Architecture& architecture,
                            const artifacts::EvaluationSet& set, const EvaluationProtocol& protocol,
                            const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oqat::supernet
