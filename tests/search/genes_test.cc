#include "search/genes.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

TEST(GeneSpace, DecodesToCanonicalAndBack) {
  RandomStream random(1);
  for (const std::string& name : space::PresetNames()) {
    const space::SearchSpace& space = space::Preset(name);
    const GeneSpace genes(space, space.bits);
    for (int i = 0; i < 100; ++i) {
      const space::Architecture a = genes.Decode(genes.Uniform(random));
      EXPECT_EQ(space::Canonical(space, a), a);
      EXPECT_EQ(genes.Decode(genes.Encode(a, random)), a);
      const space::Architecture drawn = space::SampleUniform(space, random);
      EXPECT_EQ(genes.Decode(genes.Encode(drawn, random)), drawn);
    }
    EXPECT_EQ(genes.Decode(genes.Sized(0, 0, random)), space::Smallest(space, space.bits.back()));
    EXPECT_EQ(genes.Decode(genes.Sized(1, genes.choices(1) - 1, random)),
              space::Largest(space, space.bits.front()));
  }
}

TEST(GeneSpace, OperatorsStayWithinTheChoices) {
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const GeneSpace genes(space, {4, 2});
  RandomStream random(2);
  for (int i = 0; i < 500; ++i) {
    const Genome a = genes.Uniform(random), b = genes.Uniform(random);
    Genome child = genes.Cross(a, b, random);
    for (int g = 0; g < genes.size(); ++g) EXPECT_TRUE(child[g] == a[g] || child[g] == b[g]);
    const Genome before = child;
    genes.MutateOne(child, random);
    int changed = 0;
    for (int g = 0; g < genes.size(); ++g) changed += child[g] != before[g];
    EXPECT_EQ(changed, 1);
    genes.Mutate(child, 0.5, random);
    const space::Architecture made = genes.Decode(child);
    EXPECT_EQ(space::Canonical(space, made), made);
    EXPECT_NE(made.bits, 3);
    for (const space::Architecture& near : genes.Neighbours(made)) {
      EXPECT_EQ(space::Canonical(space, near), near);
      EXPECT_NE(near, made);
      EXPECT_NE(near.bits, 3);
    }
  }
}

TEST(GeneSpace, EnumeratesEveryDistinctOne) {
  space::SearchSpace space = TinySpace();
  EXPECT_EQ(GeneSpace(space, space.bits).Enumerate().size(), 8u);
  space.stages.push_back(space.stages.front());
  space.depths = {1, 2};
  const GeneSpace genes(space, space.bits);
  const std::vector<space::Architecture> all = genes.Enumerate();
  const std::set<space::Architecture> distinct(all.begin(), all.end());
  EXPECT_EQ(all.size(), distinct.size());
  EXPECT_EQ(static_cast<double>(all.size()), genes.CountDistinct());
  EXPECT_EQ(genes.CountDistinct(), 2.0 * 20 * 20);
  for (const space::Architecture& a : all) EXPECT_EQ(space::Canonical(space, a), a);
  RandomStream random(3);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(distinct.contains(space::SampleUniform(space, random)));
  }
}

}  // namespace
}  // namespace oqat::search
