#include "predictor/cholesky.h"

#include <algorithm>
#include <cmath>

namespace oqat::predictor {
namespace {

double Dot(const double* a, const double* b, std::size_t n) {
  // Four sums: a fixed order that still lets the processor overlap the additions.
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    s0 += a[k] * b[k];
    s1 += a[k + 1] * b[k + 1];
    s2 += a[k + 2] * b[k + 2];
    s3 += a[k + 3] * b[k + 3];
  }
  for (; k < n; ++k) s0 += a[k] * b[k];
  return (s0 + s1) + (s2 + s3);
}

}  // namespace

Cholesky::Cholesky(std::vector<double> matrix, std::size_t p) : p_(p), lower_(std::move(matrix)) {
  for (std::size_t i = 0; i < p_; ++i) {
    double* row = &lower_[i * p_];
    for (std::size_t j = 0; j < i; ++j) {
      const double* other = &lower_[j * p_];
      row[j] = (row[j] - Dot(row, other, j)) / other[j];
    }
    row[i] = std::sqrt(std::max(1e-12, row[i] - Dot(row, row, i)));
  }
}

void Cholesky::SolveLower(std::vector<double>& b) const {
  for (std::size_t i = 0; i < p_; ++i) {
    b[i] = (b[i] - Dot(&lower_[i * p_], b.data(), i)) / lower_[i * p_ + i];
  }
}

std::vector<double> Cholesky::Solve(std::vector<double> b) const {
  SolveLower(b);
  for (std::size_t i = p_; i-- > 0;) {
    b[i] /= lower_[i * p_ + i];
    for (std::size_t j = 0; j < i; ++j) b[j] -= lower_[i * p_ + j] * b[i];
  }
  return b;
}

}  // namespace oqat::predictor
