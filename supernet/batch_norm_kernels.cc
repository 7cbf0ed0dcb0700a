#include "supernet/batch_norm_kernels.h"

#include <type_traits>

#include "supernet/simd.h"

namespace oqat::supernet {

namespace {

template <typename V>
OQAT_INLINE const V& At(const float* p) {
  return *reinterpret_cast<const V*>(p);
}
template <typename V>
OQAT_INLINE V& At(float* p) {
  return *reinterpret_cast<V*>(p);
}

template <Rectifier kRectifier>
using Constant = std::integral_constant<Rectifier, kRectifier>;

/// Calls work(vector type's zero, channel) for all channels, eight at a time and then four.
template <typename Work>
OQAT_INLINE void ForChannels(std::int64_t channels, const Work& work) {
  std::int64_t c = 0;
  for (; c + 8 <= channels; c += 8) work(Float8{}, c);
  if (c < channels) work(Float4{}, c);
}

/// Adding and subtracting 1.5 * 2^23 rounds half to even; codes are far smaller.
constexpr float kRounder = 12582912.0F;

// Comparisons keep NaN: a diverged training must not look normal.
template <Rectifier kRectifier, typename V>
OQAT_INLINE V Rectify(V z) {
  if constexpr (kRectifier == Rectifier::kNone) return z;
  if constexpr (kRectifier == Rectifier::kRelu) return z < 0 ? V{} : z;
  V gate = z + 3.0F;
  gate = gate < 0 ? V{} : gate;
  gate = gate > 6 ? V{} + 6.0F : gate;
  return z * gate / 6.0F;
}

/// g times the rectifier's slope at z.
template <Rectifier kRectifier, typename V>
OQAT_INLINE V Slope(V z, V g) {
  if constexpr (kRectifier == Rectifier::kNone) return g;
  if constexpr (kRectifier == Rectifier::kRelu) return z > 0 ? g : V{};
  const V inner = g * (z * (1.0F / 3.0F) + 0.5F);
  const V upper = z > 3 ? g : inner;
  return z < -3 ? V{} : upper;
}

template <typename V>
OQAT_INLINE V Code(V u, float low, float high) {
  V clipped = u < low ? V{} + low : u;
  clipped = clipped > high ? V{} + high : clipped;
  return (clipped + kRounder) - kRounder;
}

OQAT_INLINE void MomentsBody(const float* x, std::int64_t rows, std::int64_t channels, float* sums,
                             float* squares) {
  ForChannels(
      channels, [&](auto zero, std::int64_t c) __attribute__((always_inline)) {
        using V = decltype(zero);
        V even = zero, odd = zero;
        std::int64_t r = 0;
        for (; r + 2 <= rows; r += 2) {
          even += At<V>(x + r * channels + c);
          odd += At<V>(x + (r + 1) * channels + c);
        }
        if (r < rows) even += At<V>(x + r * channels + c);
        even += odd;
        const V mean = even / static_cast<float>(rows);
        V square = zero, other = zero;
        for (r = 0; r + 2 <= rows; r += 2) {
          const V a = At<V>(x + r * channels + c) - mean,
                  b = At<V>(x + (r + 1) * channels + c) - mean;
          square += a * a;
          other += b * b;
        }
        if (r < rows) {
          const V a = At<V>(x + r * channels + c) - mean;
          square += a * a;
        }
        At<V>(sums + c) = even;
        At<V>(squares + c) = square + other;
      });
}

template <Rectifier kRectifier, bool kQuantize>
OQAT_INLINE void ForwardBody(const NormalizeShape& s, const float* x, const float* residual,
                             std::int64_t rows, float* out) {
  const std::int64_t channels = s.channels;
  const float step = s.step, low = static_cast<float>(s.range.low),
              high = static_cast<float>(s.range.high);
  for (std::int64_t r = 0; r < rows; ++r) {
    ForChannels(
        channels, [&](auto zero, std::int64_t c) __attribute__((always_inline)) {
          using V = decltype(zero);
          const std::int64_t i = r * channels + c;
          V h = Rectify<kRectifier>(At<V>(x + i) * At<V>(s.scale + c) + At<V>(s.shift + c));
          if constexpr (kQuantize) h = Code(h / step, low, high) * step;
          At<V>(out + i) = residual == nullptr ? h : h + At<V>(residual + i);
        });
  }
}

template <Rectifier kRectifier, bool kQuantize>
OQAT_INLINE double BackwardBody(const NormalizeShape& s, const float* x, const float* above,
                                const float* mean, std::int64_t rows, float* grad_z, float* sums,
                                float* products) {
  const std::int64_t channels = s.channels;
  const float step = s.step, low = static_cast<float>(s.range.low),
              high = static_cast<float>(s.range.high);
  double step_sum = 0;
  ForChannels(
      channels, [&](auto zero, std::int64_t c) __attribute__((always_inline)) {
        using V = decltype(zero);
        const V scale = At<V>(s.scale + c), shift = At<V>(s.shift + c), center = At<V>(mean + c);
        V sum = zero, product = zero, step_part = zero;
        for (std::int64_t i = c; i < rows * channels; i += channels) {
          const V value = At<V>(x + i);
          V g = At<V>(above + i);
          const V z = value * scale + shift;
          if constexpr (kQuantize) {
            const V u = Rectify<kRectifier>(z) / step;
            const auto inside = (u > low) & (u < high);
            step_part += g * (Code(u, low, high) - (inside ? u : zero));
            g = inside ? g : zero;
          }
          g = Slope<kRectifier>(z, g);
          if constexpr (kQuantize || kRectifier != Rectifier::kNone) At<V>(grad_z + i) = g;
          sum += g;
          product += g * (value - center);
        }
        At<V>(sums + c) = sum;
        At<V>(products + c) = product;
        if constexpr (kQuantize) {
          for (std::size_t lane = 0; lane < sizeof(V) / sizeof(float); ++lane) {
            step_sum += step_part[lane];
          }
        }
      });
  return step_sum;
}

OQAT_INLINE void GradInputBody(std::int64_t channels, const float* x, const float* grad_z,
                               const float* a, const float* b, const float* d, std::int64_t rows,
                               float* grad_x) {
  for (std::int64_t r = 0; r < rows; ++r) {
    ForChannels(
        channels, [&](auto zero, std::int64_t c) __attribute__((always_inline)) {
          using V = decltype(zero);
          const std::int64_t i = r * channels + c;
          At<V>(grad_x + i) =
              At<V>(a + c) * At<V>(grad_z + i) + (At<V>(b + c) * At<V>(x + i) + At<V>(d + c));
        });
  }
}

OQAT_INLINE void ForwardAny(const NormalizeShape& s, const float* x, const float* residual,
                            std::int64_t rows, float* out) {
  const auto run = [&](auto rectifier) __attribute__((always_inline)) {
    constexpr Rectifier kRectifier = decltype(rectifier)::value;
    if (s.step > 0) {
      ForwardBody<kRectifier, true>(s, x, residual, rows, out);
    } else {
      ForwardBody<kRectifier, false>(s, x, residual, rows, out);
    }
  };
  switch (s.rectifier) {
    case Rectifier::kNone: run(Constant<Rectifier::kNone>{}); break;
    case Rectifier::kRelu: run(Constant<Rectifier::kRelu>{}); break;
    case Rectifier::kHSwish: run(Constant<Rectifier::kHSwish>{}); break;
  }
}

OQAT_INLINE double BackwardAny(const NormalizeShape& s, const float* x, const float* above,
                               const float* mean, std::int64_t rows, float* grad_z, float* sums,
                               float* products) {
  const bool quantize = s.step > 0;
  const auto run = [&](auto rectifier) __attribute__((always_inline)) {
    constexpr Rectifier kRectifier = decltype(rectifier)::value;
    return quantize
               ? BackwardBody<kRectifier, true>(s, x, above, mean, rows, grad_z, sums, products)
               : BackwardBody<kRectifier, false>(s, x, above, mean, rows, grad_z, sums, products);
  };
  switch (s.rectifier) {
    case Rectifier::kRelu: return run(Constant<Rectifier::kRelu>{});
    case Rectifier::kHSwish: return run(Constant<Rectifier::kHSwish>{});
    case Rectifier::kNone: break;
  }
  return run(Constant<Rectifier::kNone>{});
}

OQAT_AVX2 void MomentsAvx2(const float* x, std::int64_t rows, std::int64_t channels, float* sums,
                           float* squares) {
  MomentsBody(x, rows, channels, sums, squares);
}

OQAT_AVX2 void ForwardAvx2(const NormalizeShape& s, const float* x, const float* residual,
                           std::int64_t rows, float* out) {
  ForwardAny(s, x, residual, rows, out);
}

OQAT_AVX2 double BackwardAvx2(const NormalizeShape& s, const float* x, const float* above,
                              const float* mean, std::int64_t rows, float* grad_z, float* sums,
                              float* products) {
  return BackwardAny(s, x, above, mean, rows, grad_z, sums, products);
}

OQAT_AVX2 void GradInputAvx2(std::int64_t channels, const float* x, const float* grad_z,
                             const float* a, const float* b, const float* d, std::int64_t rows,
                             float* grad_x) {
  GradInputBody(channels, x, grad_z, a, b, d, rows, grad_x);
}

}  // namespace

void Moments(const float* x, std::int64_t rows, std::int64_t channels, float* sums,
             float* squares) {
  if (OQAT_HAS_AVX2()) {
    MomentsAvx2(x, rows, channels, sums, squares);
  } else {
    MomentsBody(x, rows, channels, sums, squares);
  }
}

void NormalizeForward(const NormalizeShape& shape, const float* x, const float* residual,
                      std::int64_t rows, float* out) {
  if (OQAT_HAS_AVX2()) {
    ForwardAvx2(shape, x, residual, rows, out);
  } else {
    ForwardAny(shape, x, residual, rows, out);
  }
}

double NormalizeBackward(const NormalizeShape& shape, const float* x, const float* above,
                         const float* mean, std::int64_t rows, float* grad_z, float* sums,
                         float* products) {
  if (OQAT_HAS_AVX2()) {
    return BackwardAvx2(shape, x, above, mean, rows, grad_z, sums, products);
  }
  return BackwardAny(shape, x, above, mean, rows, grad_z, sums, products);
}

void NormalizeGradInput(std::int64_t channels, const float* x, const float* grad_z, const float* a,
                        const float* b, const float* d, std::int64_t rows, float* grad_x) {
  if (OQAT_HAS_AVX2()) {
    GradInputAvx2(channels, x, grad_z, a, b, d, rows, grad_x);
  } else {
    GradInputBody(channels, x, grad_z, a, b, d, rows, grad_x);
  }
}

}  // namespace oqat::supernet
