#include "bench/ranking_mlp.h"

#include <algorithm>
#include <cmath>

#include "predictor/cholesky.h"

namespace oqat::bench {
namespace {

constexpr std::size_t kHidden = 24, kBatch = 32;
constexpr int kMembers = 4, kSteps = 1500;
constexpr double kRate = 3e-3, kDecay = 1e-3, kRankingWeight = 1;

}  // namespace

double RankingMlp::Forward(const Weights& weights, const double* features, double* hidden) const {
  const auto p = static_cast<std::size_t>(encoder_.size());
  const double* out = &weights[kHidden * (p + 1)];
  double sum = out[kHidden];
  for (std::size_t h = 0; h < kHidden; ++h) {
    const double* row = &weights[h * (p + 1)];
    hidden[h] = std::max(0.0, row[p] + predictor::Dot(row, features, p));
    sum += out[h] * hidden[h];
  }
  return sum;
}

RankingMlp::Weights RankingMlp::Train(const std::vector<double>& x, const std::vector<double>& y,
                                      RandomStream& random) const {
  const auto p = static_cast<std::size_t>(encoder_.size());
  const std::size_t n = y.size(), batch = std::min(n, kBatch);
  Weights weights(kHidden * (p + 2) + 1);
  for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
    const bool first = i < kHidden * (p + 1);
    weights[i] =
        random.Normal() * std::sqrt((first ? 2.0 : 1.0) / static_cast<double>(first ? p : kHidden));
  }
  Weights gradient(weights.size()), moment(weights.size()), square(weights.size());
  std::vector<double> hidden(batch * kHidden), output(batch), error(batch);
  std::vector<std::size_t> drawn(batch);
  for (int step = 1; step <= kSteps; ++step) {
    for (std::size_t b = 0; b < batch; ++b) {
      drawn[b] = random.Below(n);
      output[b] = Forward(weights, &x[drawn[b] * p], &hidden[b * kHidden]);
    }
    for (std::size_t b = 0; b < batch; ++b) {
      error[b] = 2 * (output[b] - y[drawn[b]]) / static_cast<double>(batch);
      for (std::size_t c = 0; c < batch; ++c) {
        const double order = y[drawn[b]] - y[drawn[c]];
        if (order == 0) continue;
        const double sign = order > 0 ? 1 : -1;
        error[b] -= kRankingWeight * sign / (1 + std::exp(sign * (output[b] - output[c]))) /
                    static_cast<double>(batch * batch);
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      gradient[i] = kDecay * weights[i];
    }
    double* out = &gradient[kHidden * (p + 1)];
    for (std::size_t b = 0; b < batch; ++b) {
      const double* features = &x[drawn[b] * p];
      out[kHidden] += error[b];
      for (std::size_t h = 0; h < kHidden; ++h) {
        const double active = hidden[b * kHidden + h];
        out[h] += error[b] * active;
        if (active <= 0) continue;
        const double back = error[b] * weights[kHidden * (p + 1) + h];
        double* row = &gradient[h * (p + 1)];
        for (std::size_t j = 0; j < p; ++j) row[j] += back * features[j];
        row[p] += back;
      }
    }
    const double rate = kRate * (1 - static_cast<double>(step - 1) / kSteps);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      moment[i] = 0.9 * moment[i] + 0.1 * gradient[i];
      square[i] = 0.999 * square[i] + 0.001 * gradient[i] * gradient[i];
      const double m = moment[i] / (1 - std::pow(0.9, step));
      const double s = square[i] / (1 - std::pow(0.999, step));
      weights[i] -= rate * m / (std::sqrt(s) + 1e-8);
    }
  }
  return weights;
}

void RankingMlp::Fit(std::span<const space::Architecture> architectures,
                     std::span<const double> targets, RandomStream& random) {
  predictor::CheckSamples(architectures, targets);
  const std::size_t n = targets.size();
  const auto p = static_cast<std::size_t>(encoder_.size());
  const auto count = static_cast<double>(n);
  std::vector<double> x(n * p), y(targets.begin(), targets.end());
  for (std::size_t i = 0; i < n; ++i) {
    encoder_.Encode(architectures[i], std::span(x).subspan(i * p, p));
  }
  predictor::Standardize(x, n, center_, scale_);
  target_center_ = 0;
  for (const double v : y) target_center_ += v / count;
  double variance = 0;
  for (const double v : y) variance += (v - target_center_) * (v - target_center_) / count;
  target_scale_ = variance > 0 ? std::sqrt(variance) : 1;
  for (double& v : y) v = (v - target_center_) / target_scale_;
  members_.clear();
  for (int m = 0; m < kMembers; ++m) members_.push_back(Train(x, y, random));
  residual_ = 0;
  std::vector<double> hidden(kHidden);
  for (std::size_t i = 0; i < n; ++i) {
    double mean = 0;
    for (const Weights& member : members_) {
      mean += Forward(member, &x[i * p], hidden.data()) / kMembers;
    }
    residual_ += (mean - y[i]) * (mean - y[i]) / count;
  }
}

void RankingMlp::Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
                         std::span<double> stddev) const {
  predictor::CheckOutputs(architectures, mean, stddev);
  std::vector<double> row(center_.size()), hidden(kHidden), outputs(kMembers);
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    encoder_.Encode(architectures[i], row);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = (row[j] - center_[j]) * scale_[j];
    double sum = 0, squares = 0;
    for (const Weights& member : members_) {
      const double output = Forward(member, row.data(), hidden.data());
      sum += output;
      squares += output * output;
    }
    const double average = sum / kMembers;
    mean[i] = target_center_ + target_scale_ * average;
    if (stddev.empty()) continue;
    const double spread = std::max(0.0, squares / kMembers - average * average);
    stddev[i] = target_scale_ * std::sqrt(spread + residual_);
  }
}

}  // namespace oqat::bench
