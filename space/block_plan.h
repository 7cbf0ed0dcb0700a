#pragma once

#include <vector>

#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::space {

/// One inverted residual block of a network, with the widths in use. Pure data, no LibTorch.
struct BlockPlan {
  int index = 0;  ///< position in the network whose tensors are used ("blocks.INDEX")
  int in = 0, mid = 0, out = 0;
  int kernel = 3;
  int stride = 1;
  Activation activation = Activation::kRelu;
  bool expand = true;  ///< false: the fixed first block has no expanding convolution
  bool squeeze_excite = false;
  bool shortcut = false;

  /// Channels between the two squeeze-and-excite convolutions.
  int squeezed() const;
};

/// All blocks at their largest, the fixed first block included.
std::vector<BlockPlan> SupernetPlan(const SearchSpace& space);

/// The active blocks of a canonical architecture; `index` counts in the supernet.
std::vector<BlockPlan> SubnetPlan(const SearchSpace& space, const Architecture& architecture);

}  // namespace oqat::space
