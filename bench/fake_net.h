#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "artifacts/checkpoint.h"
#include "runtime/subnet.h"
#include "space/architecture.h"

namespace oqat::bench {

/// Fake quantization of one checkpoint in LibTorch: what the classes of the int8 engine are held
/// against. One thread.
class FakeNet {
 public:
  /// `single`: in float32, as training does it, instead of float64. Throws Error INVALID_ARGUMENT
  /// for a checkpoint whose tensors are not its space's.
  FakeNet(const artifacts::Checkpoint& checkpoint, bool single);
  ~FakeNet();

  /// The class of each of the first `count` images, BatchNorm using `statistics` of that
  /// architecture's runtime::Subnet. `done` hears of every batch; images so far.
  std::vector<int> Classes(const space::Architecture& architecture,
                           const std::vector<runtime::Statistics>& statistics,
                           const artifacts::ImageSet& images, std::int64_t count,
                           const std::function<void(std::int64_t)>& done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oqat::bench
