#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"

namespace oqat::runtime {

/// What a layer's kernel sums up, and what becomes of it.
struct SumsAndOutputs {
  double sum_scale = 1;  ///< what one unit of the sums is worth: the product of the steps
  double most = 0;       ///< of a sum, in magnitude; 0 for float sums
  /// What the kernel leaves out of every sum of a channel: codes are stored with an offset, whose
  /// products with the weights are no part of it. Empty: nothing.
  std::vector<std::int32_t> missing;
  /// Codes alone are folded in units of their step, with their offset: Finish in kernels.h.
  double step = 1, offset = 0;
};

/// BatchNorm of one layer of a subnet, folded with the scale of its convolution into the `scale`
/// and `bias` of a Finish, and its statistics on the way to that. Where integer sums could leave
/// the range of integers, 2^29 quantization steps off, scales and biases are limited to it.
class FoldedNorm {
 public:
  FoldedNorm(std::string layer, const BatchNorm& norm, int channels, SumsAndOutputs sums);

  const std::string& layer() const { return layer_; }
  std::vector<float> mean() const { return {mean_.begin(), mean_.begin() + channels_}; }
  std::vector<float> variance() const { return {variance_.begin(), variance_.begin() + channels_}; }
  const float* scale() const { return scale_.data(); }
  const float* bias() const { return bias_.data(); }
  int channels() const { return channels_; }

  void SetStatistics(const std::vector<float>& mean, const std::vector<float>& variance);

  /// Begins a recalibration: batches follow, then EndBatches or DropBatches.
  void BeginBatches();

  /// A batch's sums of block `block` of channels over `count` pixels of `images` images, as the
  /// kernel counts them; folds that block for this batch.
  void AddBatch(int block, const std::int64_t* sum, const std::uint64_t* squares,
                std::int64_t count, std::int64_t images);

  /// The same from the moments of float outputs.
  void AddBatch(int block, const double* mean, const double* variance, std::int64_t images);

  /// The means of all batches, weighted by their images, become the statistics.
  void EndBatches(std::int64_t images);

  /// Forgets the batches: the statistics are those before.
  void DropBatches() { FoldAll(); }

  int blocks() const { return static_cast<int>(scale_.size()) / kBlock; }

 private:
  void FoldAll();
  void Fold(std::size_t channel, double mean, double variance);

  std::string layer_;
  const BatchNorm* norm_;
  int channels_;
  SumsAndOutputs sums_;
  std::vector<float> mean_, variance_, scale_, bias_;  ///< whole blocks; the surplus gives 0
  std::vector<double> mean_sum_, variance_sum_;
};

}  // namespace oqat::runtime
