#include "runtime/fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace oqat::runtime {

namespace {

constexpr double kEps = 1e-5;

std::vector<float> First(const std::vector<float>& values, int count) {
  std::vector<float> first(values.begin(), values.begin() + count);
  first.resize(static_cast<std::size_t>(Padded(count)));
  return first;
}

}  // namespace

FoldedNorm::FoldedNorm(std::string layer, const BatchNorm& norm, int channels, double sum_scale)
    : layer_(std::move(layer)),
      norm_(&norm),
      channels_(channels),
      sum_scale_(sum_scale),
      mean_(First(norm.running_mean, channels)),
      variance_(First(norm.running_var, channels)),
      scale_(mean_.size()),
      bias_(mean_.size()) {
  Fold(mean_, variance_);
}

void FoldedNorm::SetStatistics(const std::vector<float>& mean, const std::vector<float>& variance) {
  std::copy(mean.begin(), mean.end(), mean_.begin());
  std::copy(variance.begin(), variance.end(), variance_.begin());
  Fold(mean_, variance_);
}

template <class T>
void FoldedNorm::Fold(const std::vector<T>& mean, const std::vector<T>& variance) {
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c) {
    const double gain = norm_->weight[c] / std::sqrt(static_cast<double>(variance[c]) + kEps);
    scale_[c] = static_cast<float>(gain * sum_scale_);
    bias_[c] = static_cast<float>(norm_->bias[c] - static_cast<double>(mean[c]) * gain);
  }
}

void FoldedNorm::BeginBatches() {
  mean_sum_.assign(scale_.size(), 0);
  variance_sum_.assign(scale_.size(), 0);
  weight_ = 0;
}

void FoldedNorm::AddBatch(const std::vector<std::int64_t>& sum,
                          const std::vector<std::uint64_t>& squares, std::int64_t count,
                          std::int64_t images) {
  const double n = static_cast<double>(count);
  std::vector<double> mean(scale_.size()), variance(scale_.size());
  for (std::size_t c = 0; c < scale_.size(); ++c) {
    const double m = static_cast<double>(sum[c]) / n;
    mean[c] = m * sum_scale_;
    variance[c] =
        std::max(0.0, static_cast<double>(squares[c]) / n - m * m) * sum_scale_ * sum_scale_;
  }
  Add(mean, variance, images);
}

void FoldedNorm::AddBatch(const float* planes, std::int64_t plane, std::int64_t count,
                          std::int64_t images) {
  const double n = static_cast<double>(count);
  std::vector<double> mean(scale_.size()), variance(scale_.size());
  for (std::size_t block = 0; block < scale_.size() / kBlock; ++block) {
    const float* values = planes + static_cast<std::int64_t>(block) * plane * kBlock;
    double sums[kBlock] = {}, squares[kBlock] = {};
    for (std::int64_t p = 0; p < count; ++p) {
      for (int c = 0; c < kBlock; ++c) sums[c] += values[p * kBlock + c];
    }
    for (double& sum : sums) sum /= n;
    for (std::int64_t p = 0; p < count; ++p) {
      for (int c = 0; c < kBlock; ++c) {
        const double difference = values[p * kBlock + c] - sums[c];
        squares[c] += difference * difference;
      }
    }
    for (std::size_t c = 0; c < kBlock; ++c) {
      mean[block * kBlock + c] = sums[c];
      variance[block * kBlock + c] = squares[c] / n;
    }
  }
  Add(mean, variance, images);
}

void FoldedNorm::Add(const std::vector<double>& mean, const std::vector<double>& variance,
                     std::int64_t images) {
  const double weight = static_cast<double>(images);
  for (std::size_t c = 0; c < scale_.size(); ++c) {
    mean_sum_[c] += weight * mean[c];
    variance_sum_[c] += weight * variance[c];
  }
  weight_ += weight;
  Fold(mean, variance);
}

void FoldedNorm::EndBatches() {
  for (std::size_t c = 0; c < scale_.size(); ++c) {
    mean_[c] = static_cast<float>(mean_sum_[c] / weight_);
    variance_[c] = static_cast<float>(variance_sum_[c] / weight_);
  }
  Fold(mean_, variance_);
}

}  // namespace oqat::runtime
