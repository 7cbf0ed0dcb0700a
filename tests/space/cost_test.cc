#include "space/cost.h"

#include <gtest/gtest.h>

#include "space/metric.h"
#include "tests/space/cost_cases.h"

namespace oqat::space {
namespace {

TEST(Costs, EqualTheReferenceToTheLastInteger) {
  EXPECT_EQ(CheckCostCases(OQAT_SOURCE_DIR "/tests/golden/oqa_costs.json"), 71);
}

TEST(Costs, AreTheSumOfTheLayers) {
  RandomStream random(3, "test");
  for (const std::string& name : PresetNames()) {
    const SearchSpace& space = Preset(name);
    for (int i = 0; i < 50; ++i) {
      const Architecture a = SampleUniform(space, random);
      const Costs costs = CostsOf(space, a);
      std::int64_t macs = 0, bitops = 0;
      for (const Layer& layer : LayersOf(space, a)) {
        macs += layer.macs();
        bitops += layer.macs() * layer.weight_bits * layer.activation_bits;
      }
      EXPECT_EQ(costs.macs, macs);
      EXPECT_EQ(costs.macs, costs.macs_quantized + costs.macs_float);
      EXPECT_EQ(costs.bitops, bitops);
    }
  }
}

TEST(Costs, LieBetweenSmallestAndLargest) {
  RandomStream random(4, "test");
  const SearchSpace& space = Preset("cifar10-mbv3");
  for (int i = 0; i < 300; ++i) {
    const Architecture a = SampleUniform(space, random);
    const MetricValues least = CostMetrics(space, Smallest(space, a.bits));
    const MetricValues most = CostMetrics(space, Largest(space, a.bits));
    for (const auto& [metric, value] : CostMetrics(space, a)) {
      EXPECT_GE(value, least.at(metric)) << MetricName(metric);
      EXPECT_LE(value, most.at(metric)) << MetricName(metric);
    }
  }
}

TEST(Costs, InactiveGenesChangeNothing) {
  const SearchSpace& space = Preset("oqa-mbv3-w1.0");
  RandomStream random(5, "test");
  for (int i = 0; i < 100; ++i) {
    Architecture a = SampleUniform(space, random);
    const Costs costs = CostsOf(space, a);
    for (std::size_t gene = 0; gene < a.kernels.size(); ++gene) {
      if (a.kernels[gene] == 0) a.kernels[gene] = random.Choose(space.kernels);
      if (a.expands[gene] == 0) a.expands[gene] = random.Choose(space.expands);
    }
    EXPECT_EQ(CostsOf(space, a), costs);
  }
}

TEST(Metric, NamesGoThereAndBack) {
  for (const char* name : {"top1", "loss", "macs", "bitops", "weighted_macs", "params",
                           "weight_bytes", "latency_ms", "latency_spread_ms"}) {
    EXPECT_EQ(MetricName(MetricFromName(name)), name);
  }
  try {
    MetricFromName("speed", "objectives[0].metric");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "objectives[0].metric: got \"speed\"; allowed: top1, loss, macs, bitops, "
                 "weighted_macs, params, weight_bytes, latency_ms, latency_spread_ms");
  }
}

}  // namespace
}  // namespace oqat::space
