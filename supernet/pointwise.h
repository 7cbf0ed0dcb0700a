#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

namespace oqat::supernet {

/// 1x1 convolution without bias, differentiable. x: [n, c, h, w]; weight: [out, c, 1, 1] of the
/// same type. float32 on a CPU with both channel counts multiples of 4 takes our own channels_last
/// kernels, everything else LibTorch's. Returns channels_last.
at::Tensor PointwiseConv(const at::Tensor& x, const at::Tensor& weight);

}  // namespace oqat::supernet
