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

  /// A batch's sums of block `block` of channels over `count` pixels of `images` images, in the
  /// convolution's units; folds that block for this batch.
  void AddBatch(int block, const std::int64_t* sum, const std::uint64_t* squares,
                std::int64_t count, std::int64_t images);

  /// The same from the moments of float outputs.
  void AddBatch(int block, const double* mean, const double* variance, std::int64_t images);

  /// The means of all batches, weighted by their images, become the statistics.
  void EndBatches(std::int64_t images);

  int blocks() const { return static_cast<int>(scale_.size()) / kBlock; }

 private:
  void Fold(std::size_t channel, double mean, double variance);

  std::string layer_;
  const BatchNorm* norm_;
  int channels_;
  double sum_scale_;
  std::vector<float> mean_, variance_, scale_, bias_;  ///< whole blocks; the surplus gives 0
  std::vector<double> mean_sum_, variance_sum_;
};

}  // namespace oqat::runtime
