#pragma once

#include <cstdint>
#include <optional>

#include "artifacts/evaluation_set.h"
#include "space/search_space.h"

namespace oqat::artifacts {

/// How a subnet is measured; part of an evaluation's identity.
struct EvaluationProtocol {
  Split split = Split::kSearch;
  std::int64_t calibration_images = 0;  ///< 0: all of the set's
  std::int64_t images = 0;              ///< of the split, from its start; 0: all
  std::int64_t batch_size = 100;
  bool latency = false;              ///< also measure the time of one image
  std::optional<double> stop_below;  ///< stop counting once top1 can hardly reach this
};

/// Time of one image in one thread, over repeated runs.
struct Latency {
  double median_ms = 0;
  double spread_ms = 0;  ///< interquartile range
};

struct EvaluationResult {
  double top1 = 0;  ///< 0 to 1
  double loss = 0;  ///< mean cross-entropy, nats
  std::int64_t images = 0;
  bool stopped = false;            ///< before all images were counted: they are hopeless
  std::optional<Latency> latency;  ///< if it was asked for, unless stopped
};

/// How many images a protocol uses of a set.
struct ImageCounts {
  std::int64_t calibration = 0, images = 0;
};

/// Throws Error INVALID_ARGUMENT if the set has other classes than the space, or fewer images than
/// the protocol wants, or for a batch size below 1.
ImageCounts CountImages(const EvaluationProtocol& protocol, const EvaluationSet& set,
                        const space::SearchSpace& space);

/// What top1 of all `total` images will hardly exceed if `hits` of the first `done` were right: the
/// lesser of what the rest can add at most and of Serfling's bound for samples without replacement
/// (Annals of Statistics 2, 1974), with which one in 200 evaluations is wrong at most if it is
/// asked `checks` times in each.
double Top1Bound(std::int64_t hits, std::int64_t done, std::int64_t total, std::int64_t checks);

/// Adds up what logits say about labels.
class Score {
 public:
  /// logits: [count, classes]. Of equal logits the first class wins.
  void Add(const float* logits, const std::int32_t* labels, std::int64_t count,
           std::int64_t classes);
  /// True if top1 of the protocol's `total` images will not reach its stop_below. To be asked after
  /// every batch_size images, so that the answer depends on nothing else.
  bool Hopeless(const EvaluationProtocol& protocol, std::int64_t total) const;
  EvaluationResult Result() const;

 private:
  std::int64_t hits_ = 0, images_ = 0;
  double loss_ = 0;
};

}  // namespace oqat::artifacts
