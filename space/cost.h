#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::space {

/// One convolution or the classifier of a subnet, batch 1.
struct Layer {
  std::string name;  ///< "blocks.3.depth_conv", in the supernet's numbering
  int in_channels = 0;
  int out_channels = 0;
  int kernel = 1;
  int stride = 1;
  int groups = 1;
  int in_size = 0;   ///< input height = width, pixels
  int out_size = 0;  ///< output height = width, pixels
  bool bias = false;
  bool batch_norm = false;
  int weight_bits = 32;      ///< 32: float
  int activation_bits = 32;  ///< 32: float

  bool quantized() const { return weight_bits < 32; }
  std::int64_t weights() const {
    return static_cast<std::int64_t>(out_channels) * (in_channels / groups) * kernel * kernel;
  }
  std::int64_t macs() const { return weights() * out_size * out_size; }
};

/// Exact costs of one subnet; pure functions of (space, architecture).
struct Costs {
  std::int64_t macs = 0;              ///< multiply-accumulates of convolutions and classifier
  std::int64_t macs_quantized = 0;
  std::int64_t macs_float = 0;
  std::int64_t params = 0;            ///< weights, biases, BatchNorm scales and shifts
  std::int64_t params_with_steps = 0; ///< and two step sizes per quantized convolution
  std::int64_t bitops = 0;            ///< sum of macs x weight bits x activation bits
  std::int64_t weight_bits = 0;       ///< bits x (quantized weights + 2 steps each) + 32 x the rest
  double weighted_macs = 0;           ///< macs_quantized x bits x bits / 64 + macs_float

  std::int64_t weight_bytes() const { return (weight_bits + 7) / 8; }
  bool operator==(const Costs&) const = default;
};

/// Microseconds. `architecture` must be canonical for `space`.
Costs CostsOf(const SearchSpace& space, const Architecture& architecture);

/// Every layer of the subnet, in order; what CostsOf sums over.
std::vector<Layer> LayersOf(const SearchSpace& space, const Architecture& architecture);

}  // namespace oqat::space
