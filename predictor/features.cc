#include "predictor/features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "space/cost.h"

namespace oqat::predictor {
namespace {

constexpr int kCosts = 4;
constexpr int kSums = 4;

std::array<double, kCosts> LogCosts(const space::SearchSpace& space,
                                    const space::Architecture& architecture) {
  const space::Costs costs = space::CostsOf(space, architecture);
  const auto log = [](std::int64_t cost) { return std::log(1.0 + static_cast<double>(cost)); };
  return {log(costs.macs), log(costs.bitops), log(costs.params), log(costs.weight_bits)};
}

}  // namespace

FeatureEncoder::FeatureEncoder(const space::SearchSpace& space) : space_(space) {
  const auto count = [](const std::vector<int>& choices) {
    return static_cast<int>(choices.size());
  };
  size_ = count(space.resolutions) + count(space.bits) +
          space.num_blocks() * (count(space.kernels) + count(space.expands)) +
          space.num_stages() * count(space.depths) + kSums + 2 * kCosts + count(space.bits);
  const std::array<double, kCosts> low = LogCosts(space, space::Smallest(space, space.bits.back()));
  const std::array<double, kCosts> high =
      LogCosts(space, space::Largest(space, space.bits.front()));
  for (int i = 0; i < kCosts; ++i) {
    cost_low_[i] = std::min(low[i], high[i]);
    cost_range_[i] = std::max(1e-9, std::fabs(high[i] - low[i]));
  }
}

// Calls visit(position, value) for every feature that is not zero.
template <typename Visit>
void FeatureEncoder::ForEach(const space::Architecture& a, const Visit& visit) const {
  std::size_t next = 0;
  const auto one_hot = [&](const std::vector<int>& choices, int value) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (choices[i] == value) visit(next + i, 1.0);
    }
    next += choices.size();
  };
  one_hot(space_.resolutions, a.resolution);
  one_hot(space_.bits, a.bits);
  double blocks = 0, kernels = 0, expands = 0;
  for (int i = 0; i < space_.num_blocks(); ++i) {
    one_hot(space_.kernels, a.kernels[i]);  // an inactive block's 0 is no choice: all zeros
    one_hot(space_.expands, a.expands[i]);
    kernels += a.kernels[i];
    expands += a.expands[i];
  }
  for (const int depth : a.depths) {
    one_hot(space_.depths, depth);
    blocks += depth;
  }
  for (const double sum : {blocks, kernels, expands, static_cast<double>(a.resolution)}) {
    visit(next++, sum);
  }
  const std::array<double, kCosts> costs = LogCosts(space_, a);
  double bitops = 0;
  for (int i = 0; i < kCosts; ++i) {
    const double scaled = (costs[i] - cost_low_[i]) / cost_range_[i];
    visit(next++, scaled);
    visit(next++, scaled * scaled);  // accuracy saturates with cost
    if (i == 1) bitops = scaled;
  }
  // What more computation gains differs from bit width to bit width.
  for (const int bits : space_.bits) {
    if (bits == a.bits) visit(next, bitops);
    ++next;
  }
}

void FeatureEncoder::Encode(const space::Architecture& a, std::span<double> features) const {
  std::fill(features.begin(), features.end(), 0.0);
  ForEach(a, [&](std::size_t position, double value) { features[position] = value; });
}

double FeatureEncoder::WeightedSum(const space::Architecture& a,
                                   std::span<const double> weights) const {
  double sum = 0;
  ForEach(a, [&](std::size_t position, double value) { sum += weights[position] * value; });
  return sum;
}

}  // namespace oqat::predictor
