#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "space/architecture.h"
#include "space/cost.h"
#include "space/metric.h"
#include "space/search_space.h"

namespace oqat::fakes {

/// Stands in for a network that was measured: top1 and loss as a pure, smooth function of the
/// genes with a little reproducible noise. Good for: tests of everything around an evaluation, and
/// load. Not good for: any statement about accuracy. Bigger subnets win with falling returns, each
/// block has its own weight, and the test split differs a little from the search split, as with
/// real data. Header only, stateless, safe to share.
class FakeEvaluator {
 public:
  /// `split`: "search" or "test". `architecture` must be canonical for `space`.
  /// Returns top1 and loss; the costs are the coordinator's business.
  static space::MetricValues Evaluate(const space::SearchSpace& space,
                                      const space::Architecture& architecture,
                                      const std::string& split = "search") {
    const space::Costs costs = space::CostsOf(space, architecture);
    double strength = 0.35 * std::log(static_cast<double>(costs.macs)) +
                      0.5 * std::log(static_cast<double>(architecture.bits));
    for (std::size_t block = 0; block < architecture.kernels.size(); ++block) {
      // A weight per block, so that where capacity is spent matters.
      const double weight = 0.02 * (1.0 + std::sin(1.7 * static_cast<double>(block + 1)));
      strength += weight * (0.3 * architecture.kernels[block] + 0.5 * architecture.expands[block]);
    }
    double top1 = 1.0 / (1.0 + std::exp(-0.6 * (strength - 5.5)));
    top1 += 0.004 * Noise(space, architecture, split);
    top1 = std::clamp(top1, 0.01, 0.99);
    // In steps of 1/2000, as a share of 2,000 images has.
    top1 = std::round(top1 * 2000) / 2000;
    return {{space::Metric::kTop1, top1}, {space::Metric::kLoss, -std::log(top1)}};
  }

 private:
  /// In [-1, 1), from a FNV-1a hash of the architecture and the split.
  static double Noise(const space::SearchSpace& space, const space::Architecture& architecture,
                      const std::string& split) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : space::ToKey(space, architecture) + "/" + split) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    return 2 * RandomStream(hash).Uniform() - 1;
  }
};

}  // namespace oqat::fakes
