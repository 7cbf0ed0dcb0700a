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

void FeatureEncoder::Encode(const space::Architecture& a, std::span<double> features) const {
  std::fill(features.begin(), features.end(), 0.0);
  double* out = features.data();
  const auto one_hot = [&out](const std::vector<int>& choices, int value) {
    for (const int choice : choices) *out++ = choice == value ? 1.0 : 0.0;
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
    *out++ = sum;
  }
  const std::array<double, kCosts> costs = LogCosts(space_, a);
  double bitops = 0;
  for (int i = 0; i < kCosts; ++i) {
    const double scaled = (costs[i] - cost_low_[i]) / cost_range_[i];
    *out++ = scaled;
    *out++ = scaled * scaled;  // accuracy saturates with cost
    if (i == 1) bitops = scaled;
  }
  // What more computation gains differs from bit width to bit width.
  for (const int bits : space_.bits) *out++ = bits == a.bits ? bitops : 0.0;
}

}  // namespace oqat::predictor
