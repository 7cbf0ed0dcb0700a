#include "supernet/depthwise_kernels.h"

#include <algorithm>

#include "supernet/simd.h"

namespace oqat::supernet {

namespace {

// Vectors run over channels, so every sum adds its taps in the same order whatever the vector
// width. Blocks of two vectors read whole cache lines.

OQAT_INLINE const Float8& At(const float* p) { return *reinterpret_cast<const Float8*>(p); }
OQAT_INLINE Float8& At(float* p) { return *reinterpret_cast<Float8*>(p); }

/// Output columns [begin, end) for which every tap lies inside the image.
struct Interior {
  std::int64_t begin, end;
};

OQAT_INLINE Interior InteriorOf(const DepthwiseShape& s) {
  const std::int64_t pad = s.kernel / 2;
  const std::int64_t begin = std::min((pad + s.stride - 1) / s.stride, s.out_width);
  const std::int64_t last = s.in_width - s.kernel + pad;
  const std::int64_t end = last < 0 ? 0 : std::min(last / s.stride + 1, s.out_width);
  return {begin, std::max(begin, end)};
}

/// kColumns neighbouring outputs of kVectors * 8 channels; columns of the image are checked only
/// where kChecked.
template <int kVectors, int kColumns, bool kChecked>
OQAT_INLINE void ForwardTile(const DepthwiseShape& s, const float* x, const float* filter,
                             float* out, std::int64_t oy, std::int64_t ox, std::int64_t c) {
  const std::int64_t pad = s.kernel / 2;
  const std::int64_t iy = oy * s.stride - pad, ix = ox * s.stride - pad;
  const std::int64_t ky_begin = std::max<std::int64_t>(0, -iy);
  const std::int64_t ky_end = std::min(s.kernel, s.in_height - iy);
  const std::int64_t kx_begin = kChecked ? std::max<std::int64_t>(0, -ix) : 0;
  const std::int64_t kx_end = kChecked ? std::min(s.kernel, s.in_width - ix) : s.kernel;
  Float8 sum[kColumns][kVectors] = {};
  for (std::int64_t ky = ky_begin; ky < ky_end; ++ky) {
    const float* row = x + ((iy + ky) * s.in_width + ix) * s.channels + c;
    const float* taps = filter + ky * s.kernel * s.channels + c;
    for (std::int64_t kx = kx_begin; kx < kx_end; ++kx) {
      for (int v = 0; v < kVectors; ++v) {
        const Float8 w = At(taps + kx * s.channels + 8 * v);
        for (int j = 0; j < kColumns; ++j) {
          sum[j][v] += At(row + (kx + j * s.stride) * s.channels + 8 * v) * w;
        }
      }
    }
  }
  for (int j = 0; j < kColumns; ++j) {
    for (int v = 0; v < kVectors; ++v) {
      At(out + (oy * s.out_width + ox + j) * s.channels + c + 8 * v) = sum[j][v];
    }
  }
}

template <int kVectors>
OQAT_INLINE void ForwardRow(const DepthwiseShape& s, const float* x, const float* filter,
                            float* out, std::int64_t oy, std::int64_t c, Interior interior) {
  std::int64_t ox = 0;
  for (; ox < interior.begin; ++ox) ForwardTile<kVectors, 1, true>(s, x, filter, out, oy, ox, c);
  for (; ox + 4 <= interior.end; ox += 4) {
    ForwardTile<kVectors, 4, false>(s, x, filter, out, oy, ox, c);
  }
  for (; ox < s.out_width; ++ox) ForwardTile<kVectors, 1, true>(s, x, filter, out, oy, ox, c);
}

OQAT_INLINE void ForwardBody(const DepthwiseShape& s, const float* x, const float* filter,
                             float* out) {
  const Interior interior = InteriorOf(s);
  for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
    std::int64_t c = 0;
    for (; c + 16 <= s.channels; c += 16) ForwardRow<2>(s, x, filter, out, oy, c, interior);
    if (c < s.channels) ForwardRow<1>(s, x, filter, out, oy, c, interior);
  }
}

/// Strided layers are few: every output's gradient is scattered over the inputs it saw.
OQAT_INLINE void ScatterBody(const DepthwiseShape& s, const float* grad_out, const float* filter,
                             float* grad_x) {
  const std::int64_t pad = s.kernel / 2;
  std::fill(grad_x, grad_x + s.in_height * s.in_width * s.channels, 0.0F);
  for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
    const std::int64_t iy = oy * s.stride - pad;
    const std::int64_t ky_end = std::min(s.kernel, s.in_height - iy);
    for (std::int64_t ox = 0; ox < s.out_width; ++ox) {
      const std::int64_t ix = ox * s.stride - pad;
      const std::int64_t kx_end = std::min(s.kernel, s.in_width - ix);
      const float* g = grad_out + (oy * s.out_width + ox) * s.channels;
      for (std::int64_t ky = std::max<std::int64_t>(0, -iy); ky < ky_end; ++ky) {
        for (std::int64_t kx = std::max<std::int64_t>(0, -ix); kx < kx_end; ++kx) {
          float* target = grad_x + ((iy + ky) * s.in_width + ix + kx) * s.channels;
          const float* w = filter + (ky * s.kernel + kx) * s.channels;
          for (std::int64_t c = 0; c < s.channels; c += 8) {
            At(target + c) += At(g + c) * At(w + c);
          }
        }
      }
    }
  }
}

/// One output row against one filter row, kVectors * 8 channels at once.
template <int kKernel, int kVectors>
OQAT_INLINE void GradFilterRow(const DepthwiseShape& s, const float* row, const float* g,
                               float* taps, Interior interior) {
  const std::int64_t pad = kKernel / 2;
  const auto border = [&](std::int64_t ox) __attribute__((always_inline)) {
    for (std::int64_t kx = 0; kx < kKernel; ++kx) {
      const std::int64_t ix = ox * s.stride - pad + kx;
      if (ix < 0 || ix >= s.in_width) continue;
      for (int v = 0; v < kVectors; ++v) {
        At(taps + kx * s.channels + 8 * v) +=
            At(row + ix * s.channels + 8 * v) * At(g + ox * s.channels + 8 * v);
      }
    }
  };
  for (std::int64_t ox = 0; ox < interior.begin; ++ox) border(ox);
  Float8 sum[kKernel][kVectors] = {};
  for (std::int64_t ox = interior.begin; ox < interior.end; ++ox) {
    const float* first = row + (ox * s.stride - pad) * s.channels;
    for (int v = 0; v < kVectors; ++v) {
      const Float8 above = At(g + ox * s.channels + 8 * v);
      for (int kx = 0; kx < kKernel; ++kx) {
        sum[kx][v] += At(first + kx * s.channels + 8 * v) * above;
      }
    }
  }
  for (int kx = 0; kx < kKernel; ++kx) {
    for (int v = 0; v < kVectors; ++v) At(taps + kx * s.channels + 8 * v) += sum[kx][v];
  }
  for (std::int64_t ox = interior.end; ox < s.out_width; ++ox) border(ox);
}

template <int kKernel>
OQAT_INLINE void GradFilterBody(const DepthwiseShape& s, const float* x, const float* grad_out,
                                float* grad_filter, std::int64_t begin, std::int64_t end) {
  const Interior interior = InteriorOf(s);
  for (std::int64_t oy = 0; oy < s.out_height; ++oy) {
    for (std::int64_t c = begin; c < end; c += 16) {
      const float* g = grad_out + oy * s.out_width * s.channels + c;
      for (std::int64_t ky = 0; ky < kKernel; ++ky) {
        const std::int64_t iy = oy * s.stride - kKernel / 2 + ky;
        if (iy < 0 || iy >= s.in_height) continue;
        const float* row = x + iy * s.in_width * s.channels + c;
        float* taps = grad_filter + ky * kKernel * s.channels + c;
        if (c + 16 <= end) {
          GradFilterRow<kKernel, 2>(s, row, g, taps, interior);
        } else {
          GradFilterRow<kKernel, 1>(s, row, g, taps, interior);
        }
      }
    }
  }
}

OQAT_INLINE void GradFilterAny(const DepthwiseShape& s, const float* x, const float* grad_out,
                               float* grad_filter, std::int64_t begin, std::int64_t end) {
  switch (s.kernel) {
    case 3: GradFilterBody<3>(s, x, grad_out, grad_filter, begin, end); break;
    case 5: GradFilterBody<5>(s, x, grad_out, grad_filter, begin, end); break;
    default: GradFilterBody<7>(s, x, grad_out, grad_filter, begin, end); break;
  }
}

OQAT_AVX2 void ForwardAvx2(const DepthwiseShape& s, const float* x, const float* filter,
                           float* out) {
  ForwardBody(s, x, filter, out);
}

OQAT_AVX2 void ScatterAvx2(const DepthwiseShape& s, const float* grad_out, const float* filter,
                           float* grad_x) {
  ScatterBody(s, grad_out, filter, grad_x);
}

OQAT_AVX2 void GradFilterAvx2(const DepthwiseShape& s, const float* x, const float* grad_out,
                              float* grad_filter, std::int64_t begin, std::int64_t end) {
  GradFilterAny(s, x, grad_out, grad_filter, begin, end);
}

}  // namespace

void DepthwiseForward(const DepthwiseShape& shape, const float* x, const float* filter,
                      float* out) {
  if (OQAT_HAS_AVX2()) {
    ForwardAvx2(shape, x, filter, out);
  } else {
    ForwardBody(shape, x, filter, out);
  }
}

void DepthwiseGradInput(const DepthwiseShape& shape, const float* grad_out, const float* filter,
                        const float* flipped, float* grad_x) {
  if (shape.stride == 1) {
    // Same size in and out: the gradient is the convolution with the flipped filter.
    DepthwiseForward(shape, grad_out, flipped, grad_x);
  } else if (OQAT_HAS_AVX2()) {
    ScatterAvx2(shape, grad_out, filter, grad_x);
  } else {
    ScatterBody(shape, grad_out, filter, grad_x);
  }
}

void DepthwiseGradFilter(const DepthwiseShape& shape, const float* x, const float* grad_out,
                         float* grad_filter, std::int64_t begin, std::int64_t end) {
  if (OQAT_HAS_AVX2()) {
    GradFilterAvx2(shape, x, grad_out, grad_filter, begin, end);
  } else {
    GradFilterAny(shape, x, grad_out, grad_filter, begin, end);
  }
}

}  // namespace oqat::supernet
