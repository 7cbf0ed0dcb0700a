#include "tests/space/cost_cases.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "space/cost.h"

namespace oqat::space {
namespace {

void CheckLayers(const SearchSpace& space, const Architecture& architecture, const Json& expected) {
  const std::vector<Layer> layers = LayersOf(space, architecture);
  ASSERT_EQ(layers.size(), expected.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    SCOPED_TRACE(layers[i].name);
    const Layer& layer = layers[i];
    const Json& want = expected[i];
    EXPECT_EQ(layer.in_channels, want["in_channels"]);
    EXPECT_EQ(layer.out_channels, want["out_channels"]);
    EXPECT_EQ(layer.kernel, want.value("kernel", 1));
    EXPECT_EQ(layer.stride, want.value("stride", 1));
    EXPECT_EQ(layer.groups, want.value("groups", 1));
    if (want.contains("in_h")) {
      EXPECT_EQ(layer.in_size, want["in_h"]);
      EXPECT_EQ(layer.out_size, want["out_h"]);
    }
    EXPECT_EQ(layer.bias, want["bias"]);
    EXPECT_EQ(layer.macs(), want["macs"]);
    EXPECT_EQ(layer.quantized(), want["quantised"]);
    EXPECT_EQ(layer.weights(), want["weight_numel"]);
  }
}

}  // namespace

int CheckCostCases(const std::string& path) {
  const SearchSpace& space = Preset("oqa-mbv3-w1.0");
  const Json file = ParseJson(ReadFile(path), path);
  int compared = 0;
  for (const Json& subnet : file.at("subnets")) {
    SCOPED_TRACE(subnet["id"].get<std::string>());
    Architecture a;
    a.resolution = subnet["image_size"];
    a.bits = subnet["bit"];
    a.kernels = subnet["ks"].get<std::vector<int>>();
    a.expands = subnet["es"].get<std::vector<int>>();
    a.depths = subnet["d"].get<std::vector<int>>();
    a = Canonical(space, a);
    const Costs costs = CostsOf(space, a);
    EXPECT_EQ(costs.macs, subnet["macs_exact"]);
    EXPECT_EQ(costs.macs_quantized, subnet["macs_quantised_exact"]);
    EXPECT_EQ(costs.macs_float, subnet["macs_float_exact"]);
    EXPECT_EQ(costs.params_with_steps, subnet["fp_params"]);
    EXPECT_EQ(costs.params, subnet["fp_params_without_step_sizes"]);
    EXPECT_EQ(costs.weight_bits, subnet["profile_quant_params_bits_exact"]);
    EXPECT_EQ(costs.weighted_macs * 64, subnet["profile_quant_flops_exact_times64"].get<double>());
    EXPECT_EQ(costs.bitops, costs.macs_quantized * a.bits * a.bits + costs.macs_float * 1024);
    if (subnet.contains("layers")) CheckLayers(space, a, subnet["layers"]);
    ++compared;
  }
  return compared;
}

}  // namespace oqat::space
