#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include "supernet/batch_norm_kernels.h"

namespace oqat::supernet {

/// What follows a BatchNorm in the same loop.
struct Epilogue {
  Rectifier rectifier = Rectifier::kNone;
  at::Tensor residual;  ///< added last, of the output's shape; undefined: none
  at::Tensor step;      ///< LSQ step size of the next convolution's input; undefined: none
  LsqRange range;
};

/// BatchNorm in training mode (Ioffe and Szegedy 2015: biased variance normalises, the running
/// statistics take a share `momentum` of the mean and the unbiased variance), then the epilogue;
/// differentiable in x, weight, bias, residual and step. x: [n, c, h, w]; weight, bias, running_*:
/// [c]. float32 on a CPU with c a multiple of 4 takes our own channels_last kernels, which never
/// store what lies between; everything else LibTorch's operations and LsqQuantize. Returns
/// channels_last.
at::Tensor TrainingBatchNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_var,
                             double momentum, double eps, const Epilogue& epilogue);

/// relu, hardswish, or x itself.
at::Tensor Rectified(const at::Tensor& x, Rectifier rectifier);

}  // namespace oqat::supernet
