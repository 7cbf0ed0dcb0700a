#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include "supernet/lsq_kernels.h"
#include "supernet/step_sizes.h"

namespace oqat::supernet {

/// Codes of b-bit activations: 0 .. 2^b - 1, or -2^(b-1) .. 2^(b-1) - 1 where `is_signed`.
LsqRange ActivationCodes(int bits, bool is_signed);

/// Codes of b-bit weights: -2^(b-1) .. 2^(b-1) - 1; for 1 bit -1 and 1 by the sign.
LsqRange WeightCodes(int bits);

/// Learned step size quantization (LSQ, Esser et al. 2020, eq. 1-3 and 5), one fused autograd
/// function. v: any shape, float32 or float64, dense in any memory format, which is kept; step:
/// one element of the same type, its absolute value is the step size. Gradients: v passes strictly
/// inside the range; step by eq. 3, scaled by 1 / sqrt(numel(v) * high).
at::Tensor LsqQuantize(const at::Tensor& v, const at::Tensor& step, const LsqRange& range);

/// A tensor's first step size; 1 where v is all zero. Needs more than one bit for kMse.
double InitialStep(const at::Tensor& v, const LsqRange& range,
                   StepInitialization method = StepInitialization::kLsq);

}  // namespace oqat::supernet
