#include "supernet/train/sandwich.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace oqat::supernet {
namespace {

const space::SearchSpace& Space() { return space::Preset("cifar10-mbv3"); }

TEST(Sandwich, IsLargestSmallestAndRandomOnesAtOneResolution) {
  Recipe recipe;
  recipe.random_subnets = 2;
  std::set<int> resolutions;
  for (std::int64_t step = 0; step < 30; ++step) {
    const auto subnets = PlanStep(recipe, Space(), 4, 1, step, 0);
    ASSERT_EQ(subnets.size(), 4u);
    EXPECT_EQ(subnets[0].role, SubnetRole::kLargest);
    EXPECT_EQ(subnets[1].role, SubnetRole::kSmallest);
    EXPECT_EQ(subnets[3].role, SubnetRole::kRandom);
    for (const StepSubnet& subnet : subnets) {
      EXPECT_EQ(subnet.architecture.resolution, subnets[0].architecture.resolution);
      EXPECT_EQ(subnet.architecture.bits, 4);
      EXPECT_NO_THROW(space::Canonical(Space(), subnet.architecture));
    }
    resolutions.insert(subnets[0].architecture.resolution);
  }
  EXPECT_EQ(resolutions.size(), Space().resolutions.size());
}

TEST(Sandwich, IsOneArchitectureAtTheStagesBitsIfThatIsAskedFor) {
  Recipe recipe;
  recipe.only = "r28-b4-k3e4.k5e2-k3e3-k7e4-k5e4.k5e4.k3e2";
  const auto subnets = PlanStep(recipe, Space(), 2, 1, 5, 0);
  ASSERT_EQ(subnets.size(), 1u);
  EXPECT_EQ(subnets[0].role, SubnetRole::kLargest);
  EXPECT_EQ(space::ToKey(Space(), subnets[0].architecture),
            "r28-b2-k3e4.k5e2-k3e3-k7e4-k5e4.k5e4.k3e2");
}

TEST(Sandwich, IsAFunctionOfSeedBitsAndStep) {
  const Recipe recipe;
  const auto key = [&](int bits, std::uint64_t seed, std::int64_t step) {
    auto architecture = PlanStep(recipe, Space(), bits, seed, step, 0.5)[2].architecture;
    architecture.bits = 4;
    return space::ToKey(Space(), architecture);
  };
  EXPECT_EQ(key(4, 1, 7), key(4, 1, 7));
  EXPECT_NE(key(4, 1, 7), key(3, 1, 7));
  EXPECT_NE(key(4, 1, 7), key(4, 2, 7));
  EXPECT_NE(key(4, 1, 7), key(4, 1, 8));
}

TEST(Sandwich, MembersCanBeLeftOut) {
  Recipe recipe;
  recipe.smallest_subnet = false;
  recipe.random_subnets = 0;
  EXPECT_EQ(PlanStep(recipe, Space(), 4, 1, 0, 0).size(), 1u);
  recipe.largest_subnet = false;
  recipe.random_subnets = 3;
  for (const StepSubnet& subnet : PlanStep(recipe, Space(), 4, 1, 0, 0)) {
    EXPECT_EQ(subnet.role, SubnetRole::kRandom);
  }
}

TEST(Sandwich, ResolutionsPerSubnetOrTheLargest) {
  Recipe recipe;
  recipe.random_subnets = 3;
  recipe.resolution_sampling = ResolutionSampling::kLargest;
  for (const StepSubnet& subnet : PlanStep(recipe, Space(), 4, 1, 0, 0)) {
    EXPECT_EQ(subnet.architecture.resolution, Space().max_resolution());
  }
  recipe.resolution_sampling = ResolutionSampling::kSubnet;
  bool differ = false;
  for (std::int64_t step = 0; step < 10; ++step) {
    const auto subnets = PlanStep(recipe, Space(), 4, 1, step, 0);
    EXPECT_EQ(subnets[0].architecture.resolution, Space().max_resolution());
    differ |= subnets[1].architecture.resolution != subnets[2].architecture.resolution;
  }
  EXPECT_TRUE(differ);
}

TEST(Sandwich, DimensionsBecomeElasticOneByOneInFloat) {
  Recipe recipe;
  recipe.random_subnets = 4;
  recipe.elastic_from = {0.2, 0.4, 0.6};
  const auto varies = [&](int bits, double progress) {
    std::set<int> kernels, depths, expands;
    for (std::int64_t step = 0; step < 20; ++step) {
      for (const StepSubnet& subnet : PlanStep(recipe, Space(), bits, 1, step, progress)) {
        const space::Architecture a = space::Canonical(Space(), subnet.architecture);
        kernels.insert(a.kernels.begin(), a.kernels.end());
        depths.insert(a.depths.begin(), a.depths.end());
        expands.insert(a.expands.begin(), a.expands.end());
      }
    }
    // 0 marks inactive blocks.
    kernels.erase(0);
    expands.erase(0);
    return std::vector<bool>{kernels.size() > 1, depths.size() > 1, expands.size() > 1};
  };
  EXPECT_EQ(varies(32, 0.1), (std::vector<bool>{false, false, false}));
  EXPECT_EQ(varies(32, 0.3), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(varies(32, 0.5), (std::vector<bool>{true, true, false}));
  EXPECT_EQ(varies(32, 0.7), (std::vector<bool>{true, true, true}));
  EXPECT_EQ(varies(4, 0.0), (std::vector<bool>{true, true, true}));
  // Which resolutions a step needs does not depend on its progress: images are made ahead.
  for (std::int64_t step = 0; step < 10; ++step) {
    EXPECT_EQ(PlanStep(recipe, Space(), 32, 1, step, 0.1)[0].architecture.resolution,
              PlanStep(recipe, Space(), 32, 1, step, 0.9)[0].architecture.resolution);
  }
}

}  // namespace
}  // namespace oqat::supernet
