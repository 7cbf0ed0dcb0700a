#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::supernet {

/// One inverted residual block of a network, with the widths in use. Pure data, no LibTorch.
struct BlockPlan {
  int index = 0;  ///< position in the network whose tensors are used ("blocks.INDEX")
  int in = 0, mid = 0, out = 0;
  int kernel = 3;
  int stride = 1;
  space::Activation activation = space::Activation::kRelu;
  bool expand = true;  ///< false: the fixed first block has no expanding convolution
  bool squeeze_excite = false;
  bool shortcut = false;

  /// Channels between the two squeeze-and-excite convolutions.
  int squeezed() const;
};

/// All blocks at their largest, the fixed first block included.
std::vector<BlockPlan> SupernetPlan(const space::SearchSpace& space);

/// The active blocks of a canonical architecture; `index` counts in the supernet.
std::vector<BlockPlan> SubnetPlan(const space::SearchSpace& space,
                                  const space::Architecture& architecture);

enum class TensorKind {
  kConvWeight,    ///< [out, in / groups, k, k]
  kLinearWeight,  ///< [out, in]
  kBias,          ///< [out]
  kBnWeight,      ///< [channels], as the three below
  kBnBias,
  kRunningMean,
  kRunningVar,
  kStep,       ///< [1]
  kTransform,  ///< [k*k, k*k]
};

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorKind kind = TensorKind::kConvWeight;
};

/// Names and shapes of every tensor of a supernet, in module order: those of the released OQA code
/// without `num_batches_tracked`.
std::vector<TensorSpec> SupernetTensors(const space::SearchSpace& space);

/// The same for an extracted subnet: blocks numbered without gaps, one kernel size, no transform
/// matrices, and names with `conv` and `bn` once.
std::vector<TensorSpec> SubnetTensors(const space::SearchSpace& space,
                                      const std::vector<BlockPlan>& plan);

/// "blocks.INDEX.mobile_inverted_conv."
std::string BlockPrefix(int index);

/// "7to5_matrix"
std::string TransformName(int from, int to);

}  // namespace oqat::supernet
