#pragma once

#include <array>
#include <span>

#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::predictor {

/// An architecture as numbers: one-hot resolution, bits, and per block kernel and expand (all
/// zeros if the block is skipped), one-hot depths, a few sums (blocks, kernels, expands,
/// resolution) and logarithms of the costs. Costs let a linear model see what the genes multiply
/// to.
class FeatureEncoder {
 public:
  /// Keeps a copy of `space`.
  explicit FeatureEncoder(const space::SearchSpace& space);

  int size() const { return size_; }

  /// Writes size() numbers. `architecture` must be canonical for the space.
  void Encode(const space::Architecture& architecture, std::span<double> features) const;

  /// The features times `weights`, without writing them: most are zero.
  double WeightedSum(const space::Architecture& architecture,
                     std::span<const double> weights) const;

 private:
  template <typename Visit>
  void ForEach(const space::Architecture& architecture, const Visit& visit) const;

  space::SearchSpace space_;
  int size_ = 0;
  // Of ln(1 + cost) over the space: macs, bitops, params, weight bits.
  std::array<double, 4> cost_low_{}, cost_range_{};
};

}  // namespace oqat::predictor
