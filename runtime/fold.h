#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"

namespace oqat::runtime {

/// BatchNorm of one layer of a subnet, folded with the scale of its convolution into the `scale`
/// and `bias` of a Finish, and its statistics on the way to that.
class FoldedNorm {
 public:
  /// `sum_scale`: what one unit of the convolution's sums is worth (the product of its steps; 1
  /// for float convolutions).
  FoldedNorm(std::string layer, const BatchNorm& norm, int channels, double sum_scale);

  const std::string& layer() const { return layer_; }
  std::vector<float> mean() const { return {mean_.begin(), mean_.begin() + channels_}; }
  std::vector<float> variance() const { return {variance_.begin(), variance_.begin() + channels_}; }
  const float* scale() const { return scale_.data(); }
  const float* bias() const { return bias_.data(); }
  int channels() const { return channels_; }

  void SetStatistics(const std::vector<float>& mean, const std::vector<float>& variance);

  /// Begins a recalibration: batches follow, then EndBatches.
  void BeginBatches();

  /// A batch's sums over `count` pixels, in the convolution's units; folds them for this batch.
  void AddBatch(const std::vector<std::int64_t>& sum, const std::vector<std::uint64_t>& squares,
                std::int64_t count, std::int64_t images);

  /// The same for float outputs, as planes.
  void AddBatch(const float* planes, std::int64_t plane, std::int64_t count, std::int64_t images);

  /// The weighted means of all batches become the statistics.
  void EndBatches();

 private:
  void Add(const std::vector<double>& mean, const std::vector<double>& variance,
           std::int64_t images);
  template <class T>
  void Fold(const std::vector<T>& mean, const std::vector<T>& variance);

  std::string layer_;
  const BatchNorm* norm_;
  int channels_;
  double sum_scale_;
  std::vector<float> mean_, variance_, scale_, bias_;  ///< whole blocks; the surplus gives 0
  std::vector<double> mean_sum_, variance_sum_;
  double weight_ = 0;
};

}  // namespace oqat::runtime
