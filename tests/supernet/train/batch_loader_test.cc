#include "supernet/train/batch_loader.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <numeric>

#include "artifacts/dataset.h"

namespace oqat::supernet {
namespace {

class BatchLoaderTest : public testing::Test {
 protected:
  BatchLoaderTest() : space_(space::Preset("tiny-mbv3")) {
    artifacts::DatasetOptions options;
    options.image_size = space_.max_resolution();
    images_ = artifacts::LoadDataset("synthetic:train=40,test=10", options).train;
    stage_.bits = 4;
    stage_.batch_size = 16;
  }

  BatchPlan Plan(std::int64_t first_step) {
    std::vector<std::int64_t> indices(40);
    std::iota(indices.begin(), indices.end(), 0);
    return {recipe_, stage_, space_, images_, indices, {}, 3, first_step};
  }

  const space::SearchSpace space_;
  artifacts::ImageSet images_;
  Recipe recipe_;
  RecipeStage stage_;
};

TEST_F(BatchLoaderTest, GoesOnFromAnyStep) {
  BatchLoader all(Plan(0));
  for (std::int64_t step = 0; step < 6; ++step) {
    const Batch batch = all.Next();
    BatchLoader from_here(Plan(step));
    const Batch same = from_here.Next();
    EXPECT_TRUE(at::equal(batch.labels, same.labels)) << step;
    ASSERT_EQ(batch.images.size(), 1u);
    EXPECT_EQ(batch.images.begin()->first, same.images.begin()->first);
    EXPECT_TRUE(at::equal(batch.images.begin()->second, same.images.begin()->second)) << step;
    EXPECT_TRUE(batch.images.begin()->second.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

TEST_F(BatchLoaderTest, MakesEveryResolutionThatASubnetNeeds) {
  recipe_.resolution_sampling = ResolutionSampling::kSubnet;
  recipe_.random_subnets = 3;
  const BatchPlan plan = Plan(0);
  BatchLoader loader(plan);
  for (std::int64_t step = 0; step < 5; ++step) {
    const Batch batch = loader.Next();
    const std::vector<int> resolutions = plan.ResolutionsOf(step);
    EXPECT_EQ(batch.images.size(), resolutions.size());
    for (const int r : resolutions) {
      EXPECT_EQ(batch.images.at(r).sizes(), (at::IntArrayRef{16, 3, r, r}));
    }
  }
}

TEST_F(BatchLoaderTest, TheTeacherSeesTheLargestResolution) {
  recipe_.resolution_sampling = ResolutionSampling::kSubnet;
  recipe_.distillation = Distillation::kFloat;
  recipe_.largest_subnet = false;
  BatchLoader loader(Plan(0));
  for (int step = 0; step < 5; ++step) {
    EXPECT_TRUE(loader.Next().images.contains(space_.max_resolution()));
  }
}

TEST_F(BatchLoaderTest, EndsWhileBatchesWait) {
  BatchLoader loader(Plan(0));
  loader.Next();
}

}  // namespace
}  // namespace oqat::supernet
