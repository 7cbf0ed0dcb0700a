#pragma once

#include <cstdint>

namespace oqat::supernet {

/// The integer codes of a quantizer: q in [low, high], or q = sign(x) for 1-bit weights.
struct LsqRange {
  double low = 0;
  double high = 0;
  bool sign = false;
};

/// out[i] = q(v[i] / step) * step. `step` is positive; in place is allowed.
void LsqForward(const float* v, float* out, std::int64_t n, float step, const LsqRange& range);
void LsqForward(const double* v, double* out, std::int64_t n, double step, const LsqRange& range);

/// grad_v[i] = upstream[i] where low < x < high, else 0, with x = v[i] / step. Returns the sum over
/// i of upstream[i] * (q - (low < x < high ? x : 0)), in a fixed order.
double LsqBackward(const float* v, const float* upstream, float* grad_v, std::int64_t n, float step,
                   const LsqRange& range);
double LsqBackward(const double* v, const double* upstream, double* grad_v, std::int64_t n,
                   double step, const LsqRange& range);

}  // namespace oqat::supernet
