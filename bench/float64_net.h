#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/image.h"
#include "runtime/subnet.h"
#include "space/architecture.h"

namespace oqat::bench {

/// Fake quantization in LibTorch with float64: the judge of integer inference. Between two float32
/// programs a code at a rounding edge may fall on either side. For benchmarks and tests only.
class Float64Net {
 public:
  /// Throws Error INVALID_ARGUMENT for tensors that are not a supernet's.
  explicit Float64Net(const artifacts::Checkpoint& checkpoint);
  ~Float64Net();

  /// Chooses a subnet and recalibrates it on the first `count` images in batches. Returns its
  /// statistics in the order and under the names of `like`, the runtime's for this subnet.
  std::vector<runtime::Statistics> Recalibrate(const space::Architecture& architecture,
                                               const artifacts::ImageSet& set, std::int64_t count,
                                               std::int64_t batch_size,
                                               const std::vector<runtime::Statistics>& like);

  /// Logits of images [begin, end) by that subnet, [end - begin, classes].
  std::vector<double> Logits(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where the highest of `classes` logits is, the first one of equals.
template <class T>
int TopClass(const T* logits, int classes) {
  int best = 0;
  for (int c = 1; c < classes; ++c) {
    if (logits[c] > logits[best]) best = c;
  }
  return best;
}

}  // namespace oqat::bench
