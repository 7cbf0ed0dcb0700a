#include "predictor/cholesky.h"

#include <algorithm>
#include <cmath>

namespace oqat::predictor {
#if defined(__x86_64__)
__attribute__((target_clones("default", "avx2")))
#endif
double
Dot(const double* a, const double* b, std::size_t n) {
  constexpr std::size_t kLanes = 16;
  double sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double lane : sums) sum += lane;
  return sum;
}

void Standardize(std::vector<double>& matrix, std::size_t n, std::vector<double>& center,
                 std::vector<double>& scale) {
  const std::size_t columns = matrix.size() / n;
  center.assign(columns, 0);
  scale.assign(columns, 0);
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    center[i % columns] += matrix[i] / static_cast<double>(n);
  }
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    const double off = matrix[i] - center[i % columns];
    scale[i % columns] += off * off / static_cast<double>(n);
  }
  for (double& s : scale) s = s > 1e-12 ? 1 / std::sqrt(s) : 0;
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    matrix[i] = (matrix[i] - center[i % columns]) * scale[i % columns];
  }
}

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

double Cholesky::LogDeterminant() const {
  double sum = 0;
  for (std::size_t i = 0; i < p_; ++i) sum += 2 * std::log(lower_[i * p_ + i]);
  return sum;
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
