#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

namespace oqat::supernet {

/// Means over each image's pixels, differentiable: [n, c, h, w] to [n, c, 1, 1]. As mean(), but the
/// gradient is channels_last: mean's own is row-major, which makes the sum with x's other gradient
/// and everything after it copy.
at::Tensor ChannelMeans(const at::Tensor& x);

}  // namespace oqat::supernet
