#include "predictor/covariance_sums.h"

#include <algorithm>

namespace oqat::predictor {
namespace {

// Vectors of the compiler's own: it makes two of each where the machine has only four lanes, with
// the same results.
using Floats = float __attribute__((vector_size(32)));
using Words = std::int32_t __attribute__((vector_size(32)));
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
    if (places[g].size() < 2) continue;
    gene_.push_back(g);
    first_row_.push_back(rows_.size() / padded_);
    for (const double place : places[g]) {
      rows_.resize(rows_.size() + padded_);
      float* row = &rows_[rows_.size() - padded_];
      for (std::size_t i = 0; i < n; ++i) {
        const double d = samples[i * genes + g] - place;
        row[i] = static_cast<float>(inverse_scale[g] * d * d);
      }
    }
  }
}

#if defined(__x86_64__)
__attribute__((target_clones("default", "avx2")))
#endif
double
CovarianceSums::Sum(const std::uint8_t* values) const {
  Floats sums[kVectors] = {};
  for (std::size_t i = 0; i < padded_; i += kLanes) {
    Floats distance[kVectors] = {};
    for (std::size_t g = 0; g < gene_.size(); ++g) {
      const float* row = &rows_[(first_row_[g] + values[gene_[g]]) * padded_ + i];
      for (std::size_t v = 0; v < kVectors; ++v) Add(row + kVector * v, distance[v]);
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
