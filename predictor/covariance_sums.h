#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Internal to predictor/.
namespace oqat::predictor {

/// sum_i weight[i] * exp(-sum_g distance(g, i)) over many samples at once: what a Gaussian process
/// asks for every prediction. Genes take few values, so the distances of each value of a gene, or
/// of each pair of values of two neighbours, to all samples are tabulated. float32, with an own
/// exponential (relative error 2e-7): the same bits whatever the instruction set.
class CovarianceSums {
 public:
  /// `samples`: [n, genes] places; `places`: the places of each gene's values; `inverse_scale`: of
  /// each gene. The distance is inverse_scale * (place - place)^2.
  CovarianceSums(const std::vector<std::vector<double>>& places, const std::vector<double>& samples,
                 const std::vector<double>& inverse_scale, const std::vector<double>& weights);

  /// `values`: which of its places each gene has. `rows`: memory that is used again.
  double Sum(const std::uint8_t* values, std::vector<const float*>& rows) const;

 private:
  struct Group {
    std::size_t gene = 0;    // the first one
    std::size_t stride = 0;  // rows from one of its values to the next; 0: it is alone
    std::size_t first_row = 0;
  };

  std::vector<Group> groups_;
  std::size_t padded_ = 0;      // samples, a multiple of kLanes
  std::vector<float> rows_;     // [row, padded]
  std::vector<float> weights_;  // [padded]
};

}  // namespace oqat::predictor
