#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include "supernet/lsq_kernels.h"

namespace oqat::supernet {

/// LsqQuantize (supernet/lsq.h) written with LibTorch's operations, for devices that lsq_kernels
/// does not serve. The same values and gradients but for the order of the sums. Never waits for the
/// device: the step size stays a tensor. Any shape and memory format; float32 or float64.
at::Tensor LsqQuantizeByOps(const at::Tensor& v, const at::Tensor& step, const LsqRange& range);

}  // namespace oqat::supernet
