#include "supernet/depthwise_kernels.h"

#include <algorithm>

#include "supernet/simd.h"

namespace oqat::supernet {

namespace {

// Eight channels of an image at a time are copied to a plane that has columns of zeros on both
// sides. It fits the first-level cache, and no loop has to look for the border: the small maps of
// the deeper layers are mostly border.

OQAT_INLINE const Float8& At(const float* p) { return *reinterpret_cast<const Float8*>(p); }
OQAT_INLINE Float8& At(float* p) { return *reinterpret_cast<Float8*>(p); }

/// plane: [height, width + 2 pad, 8] from eight channels of an image.
OQAT_INLINE void Pack(const float* image, std::int64_t height, std::int64_t width,
                      std::int64_t channels, std::int64_t pad, float* plane) {
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < pad; ++x, plane += 8) At(plane) = Float8{};
    for (std::int64_t x = 0; x < width; ++x, plane += 8, image += channels) At(plane) = At(image);
    for (std::int64_t x = 0; x < pad; ++x, plane += 8) At(plane) = Float8{};
  }
}

/// Rows of the filter that lie inside an image of `height` rows, for output row `oy`.
struct FilterRows {
  std::int64_t begin, end, first;  ///< `first`: image row under filter row 0, may be negative
};

template <int kKernel, int kStride>
OQAT_INLINE FilterRows RowsOf(std::int64_t oy, std::int64_t height) {
  const std::int64_t first = oy * kStride - kKernel / 2;
  return {std::max<std::int64_t>(0, -first), std::min<std::int64_t>(kKernel, height - first),
          first};
}

/// kColumns neighbouring outputs. A loaded input serves every output that it reaches.
template <int kKernel, int kStride, int kColumns>
OQAT_INLINE void ForwardTile(const float* plane, std::int64_t plane_row, const float* filter,
                             FilterRows rows, float* out, std::int64_t out_step) {
  Float8 sum[kColumns] = {};
  for (std::int64_t ky = rows.begin; ky < rows.end; ++ky) {
    const float* row = plane + (rows.first + ky) * plane_row;
    Float8 taps[kKernel];
    for (int kx = 0; kx < kKernel; ++kx) taps[kx] = At(filter + (ky * kKernel + kx) * 8);
#pragma GCC unroll 32
    for (int i = 0; i < (kColumns - 1) * kStride + kKernel; ++i) {
      const Float8 x = At(row + i * 8);
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) {
        const int kx = i - j * kStride;
        if (kx >= 0 && kx < kKernel) sum[j] += x * taps[kx];
      }
    }
  }
  for (int j = 0; j < kColumns; ++j) At(out + j * out_step) = sum[j];
}

template <int kKernel, int kStride>
OQAT_INLINE void ForwardBody(const DepthwiseShape& s, const float* x, const float* filter,
                             float* plane, float* out) {
  constexpr int kPad = kKernel / 2;
  const std::int64_t plane_row = (s.in_width + 2 * kPad) * 8;
  for (std::int64_t c = 0; c < s.channels; c += 8, filter += kKernel * kKernel * 8) {
    Pack(x + c, s.in_height, s.in_width, s.channels, kPad, plane);
    for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
      const FilterRows rows = RowsOf<kKernel, kStride>(oy, s.in_height);
      float* to = out + oy * s.out_width * s.channels + c;
      std::int64_t ox = 0;
      const auto tile = [&]<int kColumns>() __attribute__((always_inline)) {
        ForwardTile<kKernel, kStride, kColumns>(plane + ox * kStride * 8, plane_row, filter, rows,
                                                to + ox * s.channels, s.channels);
        ox += kColumns;
      };
      while (ox + 6 <= s.out_width) tile.template operator()<6>();
      if (ox + 4 <= s.out_width) tile.template operator()<4>();
      if (ox + 2 <= s.out_width) tile.template operator()<2>();
      if (ox < s.out_width) tile.template operator()<1>();
    }
  }
}

/// Every output's gradient goes to the inputs it saw.
template <int kKernel, int kStride>
OQAT_INLINE void ScatterBody(const DepthwiseShape& s, const float* grad_out, const float* filter,
                             float* plane, float* grad_x) {
  constexpr int kPad = kKernel / 2;
  const std::int64_t plane_row = (s.in_width + 2 * kPad) * 8;
  for (std::int64_t c = 0; c < s.channels; c += 8, filter += kKernel * kKernel * 8) {
    std::fill(plane, plane + s.in_height * plane_row, 0.0F);
    for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
      const FilterRows rows = RowsOf<kKernel, kStride>(oy, s.in_height);
      const float* above = grad_out + oy * s.out_width * s.channels + c;
      for (std::int64_t ky = rows.begin; ky < rows.end; ++ky) {
        float* row = plane + (rows.first + ky) * plane_row;
        Float8 taps[kKernel];
        for (int kx = 0; kx < kKernel; ++kx) taps[kx] = At(filter + (ky * kKernel + kx) * 8);
        for (std::int64_t ox = 0; ox < s.out_width; ++ox) {
          const Float8 g = At(above + ox * s.channels);
          for (int kx = 0; kx < kKernel; ++kx) At(row + (ox * kStride + kx) * 8) += g * taps[kx];
        }
      }
    }
    for (std::int64_t y = 0; y < s.in_height; ++y) {
      const float* row = plane + y * plane_row + kPad * 8;
      float* to = grad_x + y * s.in_width * s.channels + c;
      for (std::int64_t x = 0; x < s.in_width; ++x) At(to + x * s.channels) = At(row + x * 8);
    }
  }
}

/// kColumns outputs' part of one row of the filter's gradient.
template <int kKernel, int kStride, int kColumns>
OQAT_INLINE void GradFilterTile(const float* row, const float* above, Float8* sum) {
  Float8 g[kColumns];
  for (int j = 0; j < kColumns; ++j) g[j] = At(above + j * 8);
#pragma GCC unroll 32
  for (int i = 0; i < (kColumns - 1) * kStride + kKernel; ++i) {
    const Float8 x = At(row + i * 8);
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j) {
      const int kx = i - j * kStride;
      if (kx >= 0 && kx < kKernel) sum[kx] += x * g[j];
    }
  }
}

template <int kKernel, int kStride>
OQAT_INLINE void GradFilterBody(const DepthwiseShape& s, const float* x, const float* grad_out,
                                float* plane, float* grad_filter) {
  constexpr int kPad = kKernel / 2;
  const std::int64_t plane_row = (s.in_width + 2 * kPad) * 8;
  float* above = plane + s.in_height * plane_row;
  for (std::int64_t c = 0; c < s.channels; c += 8, grad_filter += kKernel * kKernel * 8) {
    Pack(x + c, s.in_height, s.in_width, s.channels, kPad, plane);
    Pack(grad_out + c, s.out_height, s.out_width, s.channels, 0, above);
    for (std::int64_t ky = 0; ky < kKernel; ++ky) {
      float* taps = grad_filter + ky * kKernel * 8;
      Float8 sum[kKernel];
      for (int kx = 0; kx < kKernel; ++kx) sum[kx] = At(taps + kx * 8);
      for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
        const std::int64_t iy = oy * kStride - kPad + ky;
        if (iy < 0 || iy >= s.in_height) continue;
        const float* row = plane + iy * plane_row;
        const float* g = above + oy * s.out_width * 8;
        std::int64_t ox = 0;
        for (; ox + 4 <= s.out_width; ox += 4) {
          GradFilterTile<kKernel, kStride, 4>(row + ox * kStride * 8, g + ox * 8, sum);
        }
        for (; ox < s.out_width; ++ox) {
          GradFilterTile<kKernel, kStride, 1>(row + ox * kStride * 8, g + ox * 8, sum);
        }
      }
      for (int kx = 0; kx < kKernel; ++kx) At(taps + kx * 8) = sum[kx];
    }
  }
}

template <int kValue>
struct Constant {
  static constexpr int value = kValue;
};

/// Calls work(kernel, stride), both as constants.
template <typename Work>
OQAT_INLINE void ForShape(const DepthwiseShape& s, const Work& work) {
  const auto with_stride = [&](auto kernel) __attribute__((always_inline)) {
    if (s.stride == 1) {
      work(kernel, Constant<1>{});
    } else {
      work(kernel, Constant<2>{});
    }
  };
  switch (s.kernel) {
    case 3: with_stride(Constant<3>{}); break;
    case 5: with_stride(Constant<5>{}); break;
    default: with_stride(Constant<7>{}); break;
  }
}

OQAT_INLINE void Forward(const DepthwiseShape& s, const float* x, const float* filter,
                         float* scratch, float* out) {
  ForShape(
      s, [&](auto kernel, auto stride) __attribute__((always_inline)) {
        ForwardBody<kernel.value, stride.value>(s, x, filter, scratch, out);
      });
}

OQAT_INLINE void Scatter(const DepthwiseShape& s, const float* grad_out, const float* filter,
                         float* scratch, float* grad_x) {
  ForShape(
      s, [&](auto kernel, auto stride) __attribute__((always_inline)) {
        ScatterBody<kernel.value, stride.value>(s, grad_out, filter, scratch, grad_x);
      });
}

OQAT_INLINE void GradFilter(const DepthwiseShape& s, const float* x, const float* grad_out,
                            float* scratch, float* grad_filter) {
  ForShape(
      s, [&](auto kernel, auto stride) __attribute__((always_inline)) {
        GradFilterBody<kernel.value, stride.value>(s, x, grad_out, scratch, grad_filter);
      });
}

OQAT_FMA void ForwardFma(const DepthwiseShape& s, const float* x, const float* filter,
                         float* scratch, float* out) {
  Forward(s, x, filter, scratch, out);
}

OQAT_FMA void ScatterFma(const DepthwiseShape& s, const float* grad_out, const float* filter,
                         float* scratch, float* grad_x) {
  Scatter(s, grad_out, filter, scratch, grad_x);
}

OQAT_FMA void GradFilterFma(const DepthwiseShape& s, const float* x, const float* grad_out,
                            float* scratch, float* grad_filter) {
  GradFilter(s, x, grad_out, scratch, grad_filter);
}

}  // namespace

void PackFilter(const float* weight, std::int64_t channels, std::int64_t taps, bool flip,
                float* packed) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t from = flip ? taps - 1 - t : t;
      packed[(c / 8 * taps + t) * 8 + c % 8] = weight[c * taps + from];
    }
  }
}

void UnpackFilter(const float* packed, std::int64_t channels, std::int64_t taps, float* weight) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t t = 0; t < taps; ++t) {
      weight[c * taps + t] = packed[(c / 8 * taps + t) * 8 + c % 8];
    }
  }
}

std::int64_t DepthwiseScratch(const DepthwiseShape& s) {
  const std::int64_t pad = s.kernel / 2;
  return 8 * (s.in_height * (s.in_width + 2 * pad) + s.out_height * (s.out_width + 2 * pad));
}

void DepthwiseForward(const DepthwiseShape& shape, const float* x, const float* filter,
                      float* scratch, float* out) {
  if (OQAT_HAS_FMA()) {
    ForwardFma(shape, x, filter, scratch, out);
  } else {
    Forward(shape, x, filter, scratch, out);
  }
}

void DepthwiseGradInput(const DepthwiseShape& shape, const float* grad_out, const float* filter,
                        const float* flipped, float* scratch, float* grad_x) {
  if (shape.stride == 1) {
    // Same size in and out: the gradient is the convolution with the flipped filter.
    DepthwiseForward(shape, grad_out, flipped, scratch, grad_x);
  } else if (OQAT_HAS_FMA()) {
    ScatterFma(shape, grad_out, filter, scratch, grad_x);
  } else {
    Scatter(shape, grad_out, filter, scratch, grad_x);
  }
}

void DepthwiseGradFilter(const DepthwiseShape& shape, const float* x, const float* grad_out,
                         float* scratch, float* grad_filter) {
  if (OQAT_HAS_FMA()) {
    GradFilterFma(shape, x, grad_out, scratch, grad_filter);
  } else {
    GradFilter(shape, x, grad_out, scratch, grad_filter);
  }
}

}  // namespace oqat::supernet
