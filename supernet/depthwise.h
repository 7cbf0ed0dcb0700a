#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

namespace oqat::supernet {

/// Depthwise convolution with padding kernel / 2, differentiable. x: [n, c, h, w]; weight:
/// [c, 1, k, k] of the same type. float32 on a CPU with c a multiple of 8, k 3, 5 or 7 and
/// stride 1 or 2 takes our own channels_last kernels (LibTorch's backward pass is several times
/// slower), everything else LibTorch's. Returns channels_last.
at::Tensor DepthwiseConv(const at::Tensor& x, const at::Tensor& weight, int stride);

}  // namespace oqat::supernet
