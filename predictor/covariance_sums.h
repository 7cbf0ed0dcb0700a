#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Internal to predictor/.
namespace oqat::predictor {

/// sum_i weight[i] * exp(-sum_g distance(g, i)) over many samples at once: what a Gaussian process
/// asks for every prediction. Genes take few values, so the distances of each value of each gene to
/// all samples are tabulated. float32, with an own exponential (relative error 2e-7): the same bits
/// whatever the instruction set.
class CovarianceSums {
 public:
  /// `samples`: [n, genes] places; `places`: the places of each gene's values; `inverse_scale`: of
  /// each gene. The distance is inverse_scale * (place - place)^2.
  CovarianceSums(const std::vector<std::vector<double>>& places, const std::vector<double>& samples,
                 const std::vector<double>& inverse_scale, const std::vector<double>& weights);

  /// `values`: which of its places each gene has.
  double Sum(const std::uint8_t* values) const;

 private:
  std::vector<std::size_t> first_row_;  // of each gene that can differ
  std::vector<std::size_t> gene_;
  std::size_t padded_ = 0;      // samples, a multiple of kLanes
  std::vector<float> rows_;     // [row, padded]
  std::vector<float> weights_;  // [padded]
};

}  // namespace oqat::predictor
