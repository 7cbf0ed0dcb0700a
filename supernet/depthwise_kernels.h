#pragma once

#include <cstdint>

namespace oqat::supernet {

/// A square depthwise convolution with padding kernel / 2. Images are [height, width, channels],
/// filters [kernel * kernel, channels], all float32; channels are a multiple of 8; kernel is 3, 5
/// or 7.
struct DepthwiseShape {
  std::int64_t channels = 0;
  std::int64_t in_height = 0, in_width = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
};

/// One image forward: out = x * filter.
void DepthwiseForward(const DepthwiseShape& shape, const float* x, const float* filter, float* out);

/// One image: grad_x from the gradient of its output. `flipped` holds the filter's taps in reverse
/// order.
void DepthwiseGradInput(const DepthwiseShape& shape, const float* grad_out, const float* filter,
                        const float* flipped, float* grad_x);

/// Adds one image's share to grad_filter, for channels [begin, end), multiples of 8.
void DepthwiseGradFilter(const DepthwiseShape& shape, const float* x, const float* grad_out,
                         float* grad_filter, std::int64_t begin, std::int64_t end);

}  // namespace oqat::supernet
