#include "runtime/fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace oqat::runtime {

namespace {

constexpr double kEps = 1e-5;
/// A sum times a scale, a bias and what a sum lacks are at most this; together below 2^31.
constexpr double kMostSteps = 0x1p29;

std::vector<float> First(const std::vector<float>& values, int count) {
  std::vector<float> first(values.begin(), values.begin() + count);
  first.resize(static_cast<std::size_t>(Padded(count)));
  return first;
}

}  // namespace

FoldedNorm::FoldedNorm(std::string layer, const BatchNorm& norm, int channels, SumsAndOutputs sums)
    : layer_(std::move(layer)),
      norm_(&norm),
      channels_(channels),
      sums_(std::move(sums)),
      mean_(First(norm.running_mean, channels)),
      variance_(First(norm.running_var, channels)),
      scale_(mean_.size()),
      bias_(mean_.size()) {
  FoldAll();
}

void FoldedNorm::FoldAll() {
  for (std::size_t c = 0; c < mean_.size(); ++c) Fold(c, mean_[c], variance_[c]);
}

void FoldedNorm::SetStatistics(const std::vector<float>& mean, const std::vector<float>& variance) {
  std::copy(mean.begin(), mean.end(), mean_.begin());
  std::copy(variance.begin(), variance.end(), variance_.begin());
  FoldAll();
}

void FoldedNorm::Fold(std::size_t channel, double mean, double variance) {
  if (channel >= static_cast<std::size_t>(channels_)) return;
  const double gain = norm_->weight[channel] / std::sqrt(variance + kEps);
  double scale = gain * sums_.sum_scale / sums_.step;
  double bias = (norm_->bias[channel] - mean * gain) / sums_.step + sums_.offset;
  if (sums_.most > 0) {
    // Finite, too: a mean times a gain may not be.
    scale = std::clamp(scale, -kMostSteps / sums_.most, kMostSteps / sums_.most);
    bias = std::isnan(bias) ? 0 : std::clamp(bias, -kMostSteps, kMostSteps);
  }
  scale_[channel] = static_cast<float>(scale);
  if (!sums_.missing.empty()) bias += double{scale_[channel]} * sums_.missing[channel];
  bias_[channel] = static_cast<float>(bias);
}

void FoldedNorm::BeginBatches() {
  mean_sum_.assign(scale_.size(), 0);
  variance_sum_.assign(scale_.size(), 0);
}

void FoldedNorm::AddBatch(int block, const std::int64_t* sum, const std::uint64_t* squares,
                          std::int64_t count, std::int64_t images) {
  const double n = static_cast<double>(count);
  double mean[kBlock], variance[kBlock];
  for (int c = 0; c < kBlock; ++c) {
    // Unsigned numbers wrap around, so that only the result must fit.
    const std::int64_t missing =
        sums_.missing.empty() ? 0 : sums_.missing[static_cast<std::size_t>(block * kBlock + c)];
    const auto add = static_cast<std::uint64_t>(missing), s = static_cast<std::uint64_t>(sum[c]);
    const std::uint64_t pixels = static_cast<std::uint64_t>(count);
    const std::uint64_t square = squares[c] + 2 * add * s + pixels * add * add;
    const double m = static_cast<double>(sum[c] + count * missing) / n;
    mean[c] = m * sums_.sum_scale;
    variance[c] =
        std::max(0.0, static_cast<double>(square) / n - m * m) * sums_.sum_scale * sums_.sum_scale;
  }
  AddBatch(block, mean, variance, images);
}

void FoldedNorm::AddBatch(int block, const double* mean, const double* variance,
                          std::int64_t images) {
  const double weight = static_cast<double>(images);
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::size_t c = static_cast<std::size_t>(block) * kBlock + i;
    mean_sum_[c] += weight * mean[i];
    variance_sum_[c] += weight * variance[i];
    Fold(c, mean[i], variance[i]);
  }
}

void FoldedNorm::EndBatches(std::int64_t images) {
  const double weight = static_cast<double>(images);
  for (std::size_t c = 0; c < scale_.size(); ++c) {
    mean_[c] = static_cast<float>(mean_sum_[c] / weight);
    variance_[c] = static_cast<float>(variance_sum_[c] / weight);
  }
  FoldAll();
}

}  // namespace oqat::runtime
