#include "bench/ridge_ensemble.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "predictor/cholesky.h"

namespace oqat::bench {
namespace {

using predictor::Cholesky;

// Relative to the sample count, so that the choice means the same for few and for many.
constexpr double kLambdas[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0};

// A weighted least-squares problem around its own weighted mean, so that the intercept is free.
struct Problem {
  std::vector<double> x_mean;
  double y_mean = 0;
  std::vector<double> gram;    // p x p, lower triangle
  std::vector<double> moment;  // p
};

Problem MakeProblem(const std::vector<double>& x, std::span<const double> y,
                    const std::vector<double>& weights, std::size_t p) {
  const std::size_t n = y.size();
  Problem problem{std::vector<double>(p), 0, std::vector<double>(p * p), std::vector<double>(p)};
  double total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    total += weights[i];
    problem.y_mean += weights[i] * y[i];
    for (std::size_t j = 0; j < p; ++j) problem.x_mean[j] += weights[i] * x[i * p + j];
  }
  problem.y_mean /= total;
  for (double& mean : problem.x_mean) mean /= total;
  std::vector<double> row(p);
  for (std::size_t i = 0; i < n; ++i) {
    if (weights[i] == 0) continue;
    for (std::size_t j = 0; j < p; ++j) row[j] = x[i * p + j] - problem.x_mean[j];
    const double target = weights[i] * (y[i] - problem.y_mean);
    for (std::size_t j = 0; j < p; ++j) {
      problem.moment[j] += row[j] * target;
      const double scaled = weights[i] * row[j];
      if (scaled == 0) continue;
      double* gram = &problem.gram[j * p];
      for (std::size_t k = 0; k <= j; ++k) gram[k] += scaled * row[k];
    }
  }
  return problem;
}

Cholesky Factor(const Problem& problem, double lambda) {
  const std::size_t p = problem.moment.size();
  std::vector<double> matrix = problem.gram;
  for (std::size_t j = 0; j < p; ++j) matrix[j * p + j] += lambda;
  return Cholesky(std::move(matrix), p);
}

// Mean squared error of predicting each sample from all others: residual / (1 - leverage).
double LeaveOneOutError(const Problem& problem, const std::vector<double>& x,
                        std::span<const double> y, double lambda) {
  const std::size_t n = y.size(), p = problem.moment.size();
  const Cholesky factor = Factor(problem, lambda);
  const std::vector<double> weights = factor.Solve(problem.moment);
  std::vector<double> row(p);
  double error = 0;
  for (std::size_t i = 0; i < n; ++i) {
    double residual = y[i] - problem.y_mean;
    for (std::size_t j = 0; j < p; ++j) {
      row[j] = x[i * p + j] - problem.x_mean[j];
      residual -= row[j] * weights[j];
    }
    factor.SolveLower(row);
    double leverage = 1.0 / static_cast<double>(n);
    for (const double value : row) leverage += value * value;
    residual /= std::max(1e-6, 1.0 - leverage);
    error += residual * residual;
  }
  return error / static_cast<double>(n);
}

}  // namespace

RidgeEnsemble::RidgeEnsemble(const space::SearchSpace& space, RidgeOptions options)
    : encoder_(space), options_(options) {
  if (options_.members < 1 || options_.members > 64) {
    throw InvalidField("members", std::to_string(options_.members), "an integer from 1 to 64");
  }
}

void RidgeEnsemble::Fit(std::span<const space::Architecture> architectures,
                        std::span<const double> targets, RandomStream& random) {
  const std::size_t n = architectures.size();
  const auto p = static_cast<std::size_t>(encoder_.size());
  predictor::CheckSamples(architectures, targets);

  std::vector<double> x(n * p);
  for (std::size_t i = 0; i < n; ++i) {
    encoder_.Encode(architectures[i], std::span(x).subspan(i * p, p));
  }
  predictor::Standardize(x, n, center_, scale_);

  const Problem full = MakeProblem(x, targets, std::vector<double>(n, 1.0), p);
  const auto samples = static_cast<double>(n);
  residual_variance_ = std::numeric_limits<double>::infinity();
  for (const double relative : kLambdas) {
    const double error = LeaveOneOutError(full, x, targets, relative * samples);
    if (error < residual_variance_) {
      residual_variance_ = error;
      lambda_ = relative * samples;
    }
  }

  weights_.clear();
  for (int member = 0; member < options_.members; ++member) {
    std::vector<double> drawn(n, 0.0);
    for (std::size_t i = 0; i < n; ++i) drawn[random.Below(n)] += 1.0;
    const Problem problem = MakeProblem(x, targets, drawn, p);
    std::vector<double> weights = Factor(problem, lambda_).Solve(problem.moment);
    double intercept = problem.y_mean;
    for (std::size_t j = 0; j < p; ++j) intercept -= weights[j] * problem.x_mean[j];
    weights.insert(weights.begin(), intercept);
    weights_.push_back(std::move(weights));
  }
}

void RidgeEnsemble::Predict(std::span<const space::Architecture> architectures,
                            std::span<double> mean, std::span<double> stddev) const {
  if (weights_.empty()) {
    throw Error(Code::kFailedPrecondition, "predictor: is not fitted; call Fit before Predict");
  }
  predictor::CheckOutputs(architectures, mean, stddev);
  const auto p = static_cast<std::size_t>(encoder_.size());
  std::vector<double> row(p), outputs(weights_.size());
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    encoder_.Encode(architectures[i], row);
    for (std::size_t j = 0; j < p; ++j) row[j] = (row[j] - center_[j]) * scale_[j];
    double sum = 0;
    for (std::size_t m = 0; m < weights_.size(); ++m) {
      double output = weights_[m][0];
      for (std::size_t j = 0; j < p; ++j) output += weights_[m][j + 1] * row[j];
      outputs[m] = output;
      sum += output;
    }
    mean[i] = sum / static_cast<double>(weights_.size());
    if (stddev.empty()) continue;
    double variance = 0;
    for (const double output : outputs) variance += (output - mean[i]) * (output - mean[i]);
    variance /= static_cast<double>(weights_.size());
    stddev[i] = std::sqrt(variance + residual_variance_);
  }
}

}  // namespace oqat::bench
