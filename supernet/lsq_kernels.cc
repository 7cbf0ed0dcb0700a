#include "supernet/lsq_kernels.h"

#include "supernet/simd.h"

namespace oqat::supernet {

namespace {

constexpr int kLanes = 32;

/// Adding and subtracting 1.5 * 2^(mantissa bits) rounds half to even; codes are far smaller.
template <typename T>
constexpr T kRounder = sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0);

// The comparisons keep NaN: a diverged training must not look quantized.
template <typename T, bool kSign>
OQAT_INLINE T Code(T x, T low, T high) {
  if constexpr (kSign) {
    return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x);
  } else {
    T clipped = x < low ? low : x;
    clipped = clipped > high ? high : clipped;
    return (clipped + kRounder<T>)-kRounder<T>;
  }
}

template <typename T, bool kSign>
OQAT_INLINE void ForwardBody(const T* v, T* out, std::int64_t n, T step, T low, T high) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = Code<T, kSign>(v[i] / step, low, high) * step;
}

template <typename T, bool kSign>
OQAT_INLINE double BackwardBody(const T* v, const T* upstream, T* grad_v, std::int64_t n, T step,
                                T low, T high) {
  T lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const T x = v[i + j] / step;
      const T g = upstream[i + j];
      const bool inside = (x > low) & (x < high);
      grad_v[i + j] = inside ? g : T(0);
      lanes[j] += g * (Code<T, kSign>(x, low, high) - (inside ? x : T(0)));
    }
  }
  double sum = 0;
  for (; i < n; ++i) {
    const T x = v[i] / step;
    const bool inside = (x > low) & (x < high);
    grad_v[i] = inside ? upstream[i] : T(0);
    sum += upstream[i] * (Code<T, kSign>(x, low, high) - (inside ? x : T(0)));
  }
  for (int j = 0; j < kLanes; ++j) sum += lanes[j];
  return sum;
}

template <typename T>
OQAT_AVX2 void ForwardAvx2(const T* v, T* out, std::int64_t n, T step, T low, T high) {
  ForwardBody<T, false>(v, out, n, step, low, high);
}

template <typename T>
OQAT_AVX2 double BackwardAvx2(const T* v, const T* upstream, T* grad_v, std::int64_t n, T step,
                              T low, T high) {
  return BackwardBody<T, false>(v, upstream, grad_v, n, step, low, high);
}

template <typename T>
void Forward(const T* v, T* out, std::int64_t n, T step, const LsqRange& range) {
  const T low = static_cast<T>(range.low), high = static_cast<T>(range.high);
  if (range.sign) {
    ForwardBody<T, true>(v, out, n, step, low, high);
  } else if (OQAT_HAS_AVX2()) {
    ForwardAvx2<T>(v, out, n, step, low, high);
  } else {
    ForwardBody<T, false>(v, out, n, step, low, high);
  }
}

template <typename T>
double Backward(const T* v, const T* upstream, T* grad_v, std::int64_t n, T step,
                const LsqRange& range) {
  const T low = static_cast<T>(range.low), high = static_cast<T>(range.high);
  // Blocks keep single-precision partial sums short.
  constexpr std::int64_t kBlock = 4096;
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t m = n - i < kBlock ? n - i : kBlock;
    if (range.sign) {
      sum += BackwardBody<T, true>(v + i, upstream + i, grad_v + i, m, step, low, high);
    } else if (OQAT_HAS_AVX2()) {
      sum += BackwardAvx2<T>(v + i, upstream + i, grad_v + i, m, step, low, high);
    } else {
      sum += BackwardBody<T, false>(v + i, upstream + i, grad_v + i, m, step, low, high);
    }
  }
  return sum;
}

}  // namespace

void LsqForward(const float* v, float* out, std::int64_t n, float step, const LsqRange& range) {
  Forward(v, out, n, step, range);
}
void LsqForward(const double* v, double* out, std::int64_t n, double step, const LsqRange& range) {
  Forward(v, out, n, step, range);
}
double LsqBackward(const float* v, const float* upstream, float* grad_v, std::int64_t n, float step,
                   const LsqRange& range) {
  return Backward(v, upstream, grad_v, n, step, range);
}
double LsqBackward(const double* v, const double* upstream, double* grad_v, std::int64_t n,
                   double step, const LsqRange& range) {
  return Backward(v, upstream, grad_v, n, step, range);
}

}  // namespace oqat::supernet
