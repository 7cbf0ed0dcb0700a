#include "supernet/train/sandwich.h"

#include "base/random.h"

namespace oqat::supernet {
namespace {

/// Holds the dimensions that are not elastic yet at their largest.
void Restrict(const ElasticFrom& from, double progress, const space::SearchSpace& space,
              RandomStream& random, StepSubnet& subnet) {
  space::Architecture& architecture = subnet.architecture;
  const auto choose = [&](const std::vector<int>& choices) {
    return subnet.role == SubnetRole::kRandom ? random.Choose(choices) : choices.front();
  };
  if (progress < from.depth) {
    architecture.depths.assign(architecture.depths.size(), space.max_depth());
    // Blocks that were inactive need genes.
    for (int& kernel : architecture.kernels) {
      if (kernel == 0) kernel = choose(space.kernels);
    }
    for (int& expand : architecture.expands) {
      if (expand == 0) expand = choose(space.expands);
    }
  }
  if (progress < from.kernel) {
    for (int& kernel : architecture.kernels) {
      if (kernel != 0) kernel = space.max_kernel();
    }
  }
  if (progress < from.expand) {
    for (int& expand : architecture.expands) {
      if (expand != 0) expand = space.max_expand();
    }
  }
}

}  // namespace

std::vector<StepSubnet> PlanStep(const Recipe& recipe, const space::SearchSpace& space, int bits,
                                 std::uint64_t seed, std::int64_t step, double progress) {
  RandomStream random(seed, "train.subnets",
                      {static_cast<std::uint64_t>(bits), static_cast<std::uint64_t>(step)});
  // Architectures have no float gene; a float supernet ignores the width it is given.
  const int gene = bits == 32 ? space.bits.front() : bits;
  std::vector<StepSubnet> subnets;
  if (!recipe.only.empty()) {
    subnets.push_back({SubnetRole::kLargest, space::FromKey(space, recipe.only)});
    subnets.back().architecture.bits = gene;
    return subnets;
  }
  if (recipe.largest_subnet) subnets.push_back({SubnetRole::kLargest, space::Largest(space, gene)});
  if (recipe.smallest_subnet) {
    subnets.push_back({SubnetRole::kSmallest, space::Smallest(space, gene)});
  }
  subnets.resize(subnets.size() + static_cast<std::size_t>(recipe.random_subnets));

  // Resolutions first: they must not depend on what is drawn for the rest.
  std::vector<int> resolutions(subnets.size(), space.max_resolution());
  if (recipe.resolution_sampling == ResolutionSampling::kStep) {
    resolutions.assign(subnets.size(), random.Choose(space.resolutions));
  } else if (recipe.resolution_sampling == ResolutionSampling::kSubnet) {
    for (std::size_t i = 0; i < subnets.size(); ++i) {
      if (subnets[i].role != SubnetRole::kLargest) {
        resolutions[i] = random.Choose(space.resolutions);
      }
    }
  }
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    space::Architecture& architecture = subnets[i].architecture;
    if (subnets[i].role == SubnetRole::kRandom) {
      architecture = space::SampleUniform(space, random);
    }
    if (bits == 32) Restrict(recipe.elastic_from, progress, space, random, subnets[i]);
    architecture.bits = gene;
    architecture.resolution = resolutions[i];
  }
  return subnets;
}

}  // namespace oqat::supernet
