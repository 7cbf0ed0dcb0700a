#pragma once

#include <cstddef>
#include <vector>

// Internal to predictor/.
namespace oqat::predictor {

/// The scalar product, summed in an order that is fixed and the same for every instruction set.
double Dot(const double* a, const double* b, std::size_t n);

/// Brings each column of [n, columns] to mean 0 and variance 1, and says how: (x - center) * scale.
/// A column that never varies says nothing: its scale is 0.
void Standardize(std::vector<double>& matrix, std::size_t n, std::vector<double>& center,
                 std::vector<double>& scale);

/// The factor L of a symmetric positive definite matrix, A = L L^T. Plain loops in a fixed order:
/// the same bits on every run, unlike a threaded BLAS.
class Cholesky {
 public:
  /// `matrix`: p x p, row-major, its lower triangle filled. Pivots are kept above zero.
  Cholesky(std::vector<double> matrix, std::size_t p);

  /// x of A x = b.
  std::vector<double> Solve(std::vector<double> b) const;

  /// b becomes L^-1 b.
  void SolveLower(std::vector<double>& b) const;

  /// ln det A.
  double LogDeterminant() const;

 private:
  std::size_t p_;
  std::vector<double> lower_;
};

}  // namespace oqat::predictor
