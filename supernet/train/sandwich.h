#pragma once

#include <cstdint>
#include <vector>

#include "space/architecture.h"
#include "supernet/train/recipe.h"

namespace oqat::supernet {

/// A subnet's place in the sandwich.
enum class SubnetRole { kLargest, kSmallest, kRandom };

struct StepSubnet {
  SubnetRole role = SubnetRole::kRandom;
  space::Architecture architecture;
};

/// The subnets that one step trains, in order (sandwich rule, Yu and Huang 2019). A function of its
/// arguments: `step` counts within the stage, `progress` is the share of the stage that is done and
/// matters only while dimensions are not elastic yet. Resolutions do not depend on `progress`.
std::vector<StepSubnet> PlanStep(const Recipe& recipe, const space::SearchSpace& space, int bits,
                                 std::uint64_t seed, std::int64_t step, double progress);

}  // namespace oqat::supernet
