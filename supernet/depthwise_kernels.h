#pragma once

#include <cstdint>

namespace oqat::supernet {

/// A square depthwise convolution with padding kernel / 2. Images are [height, width, channels],
/// filters as PackFilter makes them, all float32; channels are a multiple of 8; kernel is 3, 5 or
/// 7; stride is 1 or 2.
struct DepthwiseShape {
  std::int64_t channels = 0;
  std::int64_t in_height = 0, in_width = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;

  std::int64_t in_size() const { return in_height * in_width * channels; }
  std::int64_t out_size() const { return out_height * out_width * channels; }
};

/// weight: [channels, taps], taps = kernel * kernel. packed: [channels / 8, taps, 8], so that eight
/// channels' taps lie together; `flip` reverses the taps.
void PackFilter(const float* weight, std::int64_t channels, std::int64_t taps, bool flip,
                float* packed);

/// The inverse of PackFilter without flip.
void UnpackFilter(const float* packed, std::int64_t channels, std::int64_t taps, float* weight);

/// Floats of working memory that the functions below need.
std::int64_t DepthwiseScratch(const DepthwiseShape& shape);

/// One image forward: out = x * filter.
void DepthwiseForward(const DepthwiseShape& shape, const float* x, const float* filter,
                      float* scratch, float* out);

/// One image: grad_x from the gradient of its output. `flipped` is the filter packed with flip.
void DepthwiseGradInput(const DepthwiseShape& shape, const float* grad_out, const float* filter,
                        const float* flipped, float* scratch, float* grad_x);

/// One image: adds to grad_filter.
void DepthwiseGradFilter(const DepthwiseShape& shape, const float* x, const float* grad_out,
                         float* scratch, float* grad_filter);

}  // namespace oqat::supernet
