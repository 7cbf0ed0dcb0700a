#pragma once

#include <cstdint>

#include "artifacts/evaluation_set.h"
#include "space/search_space.h"

namespace oqat::artifacts {

/// How a subnet is measured; part of an evaluation's identity.
struct EvaluationProtocol {
  Split split = Split::kSearch;
  std::int64_t calibration_images = 0;  ///< 0: all of the set's
  std::int64_t images = 0;              ///< of the split, from its start; 0: all
  std::int64_t batch_size = 100;
};

struct EvaluationResult {
  double top1 = 0;  ///< 0 to 1
  double loss = 0;  ///< mean cross-entropy, nats
  std::int64_t images = 0;
};

/// How many images a protocol uses of a set.
struct ImageCounts {
  std::int64_t calibration = 0, images = 0;
};

/// Throws Error INVALID_ARGUMENT if the set has other classes than the space, or fewer images than
/// the protocol wants, or for a batch size below 1.
ImageCounts CountImages(const EvaluationProtocol& protocol, const EvaluationSet& set,
                        const space::SearchSpace& space);

/// Adds up what logits say about labels.
class Score {
 public:
  /// logits: [count, classes]. Of equal logits the first class wins.
  void Add(const float* logits, const std::int32_t* labels, std::int64_t count,
           std::int64_t classes);
  EvaluationResult Result() const;

 private:
  std::int64_t hits_ = 0, images_ = 0;
  double loss_ = 0;
};

}  // namespace oqat::artifacts
