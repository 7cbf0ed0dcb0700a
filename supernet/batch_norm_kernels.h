#pragma once

#include <cstdint>

#include "supernet/lsq_kernels.h"

namespace oqat::supernet {

// BatchNorm, activation and quantizer of one layer as single loops over rows of channels (a pixel
// each), float32, channels a multiple of 4. Nothing is stored between the three: a layer's largest
// tensors are read and written once instead of three times, and recomputed where gradients need
// them.

enum class Rectifier { kNone, kRelu, kHSwish };

/// What happens to x: z = x * scale + shift per channel, h = rectifier(z), then the quantizer of
/// step size `step` (0: none; else positive).
struct NormalizeShape {
  std::int64_t channels = 0;
  const float* scale = nullptr;
  const float* shift = nullptr;
  Rectifier rectifier = Rectifier::kNone;
  float step = 0;
  LsqRange range;  ///< never by sign
};

/// sums[c], squares[c]: the sum of x over the rows and the sum of squared differences from its mean
/// over these rows. Few rows at a time: sums are in single precision.
void Moments(const float* x, std::int64_t rows, std::int64_t channels, float* sums, float* squares);

/// out = quantized(rectifier(z)) + residual (null: nothing is added).
void NormalizeForward(const NormalizeShape& shape, const float* x, const float* residual,
                      std::int64_t rows, float* out);

/// grad_z: the gradient of z from that of `out`. sums[c] += grad_z, products[c] += grad_z * (x -
/// mean[c]). Returns the sum that the step size's gradient is made of (LsqBackward). Few rows at a
/// time, as Moments. grad_z may be null where there is neither rectifier nor quantizer.
double NormalizeBackward(const NormalizeShape& shape, const float* x, const float* above,
                         const float* mean, std::int64_t rows, float* grad_z, float* sums,
                         float* products);

/// grad_x[r, c] = a[c] * grad_z[r, c] + b[c] * x[r, c] + d[c]; in place is allowed.
void NormalizeGradInput(std::int64_t channels, const float* x, const float* grad_z, const float* a,
                        const float* b, const float* d, std::int64_t rows, float* grad_x);

}  // namespace oqat::supernet
