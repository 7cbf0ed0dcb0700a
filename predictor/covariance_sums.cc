#include "predictor/covariance_sums.h"

#include <algorithm>

namespace oqat::predictor {
namespace {

// Vectors of the compiler's own: it makes two of each where the machine has only four lanes, with
// the same results.
using Floats = float __attribute__((vector_size(32)));
using Words = std::int32_t __attribute__((vector_size(32)));
constexpr std::size_t kMostPairs = 16;  // of values: more rows would not stay in the cache
constexpr std::size_t kVector = 8, kVectors = 4, kLanes = kVector * kVectors;

// exp(-x) for x >= 0: 2^k times a polynomial for the rest, Cephes' coefficients of expf.
// By reference: passing vectors has an ABI of its own for each instruction set.
[[gnu::always_inline]] inline void ExpMinus(Floats& x) {
  constexpr float kLog2e = 1.44269504088896341f, kRound = 12582912.0f;  // 1.5 * 2^23
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f, kMost = 80.0f;
  const Floats y = -(x < kMost ? x : Floats{} + kMost);
  const Floats shifted = y * kLog2e + kRound;
  const Floats k = shifted - kRound;
  const Floats r = (y - k * kLn2High) - k * kLn2Low;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` hold k as an integer.
  x = p * (Floats)(((Words)shifted + 127) << 23);
}

[[gnu::always_inline]] inline void Add(const float* from, Floats& to) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  to += v;
}

[[gnu::always_inline]] inline void AddProduct(const float* from, const Floats& with, Floats& to) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  to += v * with;
}

}  // namespace

CovarianceSums::CovarianceSums(const std::vector<std::vector<double>>& places,
                               const std::vector<double>& samples,
                               const std::vector<double>& inverse_scale,
                               const std::vector<double>& weights) {
  const std::size_t n = weights.size(), genes = places.size();
  padded_ = (n + kLanes - 1) / kLanes * kLanes;
  weights_.assign(padded_, 0);
  std::copy(weights.begin(), weights.end(), weights_.begin());
  for (std::size_t g = 0; g < genes; ++g) {
    const bool pair = g + 1 < genes && places[g].size() * places[g + 1].size() <= kMostPairs;
    if (!pair && places[g].size() < 2) continue;
    groups_.push_back({g, pair ? places[g + 1].size() : 0, rows_.size() / padded_});
    const std::vector<double> alone{0};
    for (const double first : places[g]) {
      for (const double second : pair ? places[g + 1] : alone) {
        rows_.resize(rows_.size() + padded_);
        float* row = &rows_[rows_.size() - padded_];
        for (std::size_t i = 0; i < n; ++i) {
          const double d = samples[i * genes + g] - first;
          double distance = inverse_scale[g] * d * d;
          if (pair) {
            const double e = samples[i * genes + g + 1] - second;
            distance += inverse_scale[g + 1] * e * e;
          }
          row[i] = static_cast<float>(distance);
        }
      }
    }
    if (pair) ++g;
  }
}

#if defined(__x86_64__)
__attribute__((target_clones("default", "avx2")))
#endif
double
CovarianceSums::Sum(const std::uint8_t* values, std::vector<const float*>& rows) const {
  const std::size_t groups = groups_.size();
  rows.resize(groups);
  for (std::size_t g = 0; g < groups; ++g) {
    const Group& group = groups_[g];
    std::size_t row = group.first_row;
    if (group.stride == 0) {
      row += values[group.gene];
    } else {
      row += values[group.gene] * group.stride + values[group.gene + 1];
    }
    rows[g] = &rows_[row * padded_];
  }
  Floats sums[kVectors] = {};
  for (std::size_t i = 0; i < padded_; i += kLanes) {
    Floats distance[kVectors] = {};
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t v = 0; v < kVectors; ++v) Add(rows[g] + i + kVector * v, distance[v]);
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      ExpMinus(distance[v]);
      AddProduct(&weights_[i + kVector * v], distance[v], sums[v]);
    }
  }
  double sum = 0;
  for (const Floats& vector : sums) {
    for (std::size_t lane = 0; lane < kVector; ++lane) sum += vector[lane];
  }
  return sum;
}

}  // namespace oqat::predictor
