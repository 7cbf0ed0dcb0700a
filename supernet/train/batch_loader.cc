#define TORCH_ASSERT_ONLY_METHOD_OPERATORS
#include "supernet/train/batch_loader.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "supernet/train/sandwich.h"

namespace oqat::supernet {
namespace {

constexpr std::size_t kAhead = 2;

}  // namespace

AugmentOptions BatchPlan::augment_options() const {
  return {recipe.crop_padding, recipe.flip, recipe.erase_probability, recipe.erase_max_area,
          recipe.cutout};
}

std::vector<int> BatchPlan::ResolutionsOf(std::int64_t step) const {
  std::vector<int> resolutions;
  for (const StepSubnet& subnet : PlanStep(recipe, space, stage.bits, seed, step, 1)) {
    const int resolution = subnet.architecture.resolution;
    if (std::find(resolutions.begin(), resolutions.end(), resolution) == resolutions.end()) {
      resolutions.push_back(resolution);
    }
  }
  // The float teacher sees what the largest subnet sees.
  const bool teacher = recipe.distillation == Distillation::kFloat && !recipe.largest_subnet &&
                       recipe.resolution_sampling != ResolutionSampling::kStep;
  if (teacher && std::find(resolutions.begin(), resolutions.end(), space.max_resolution()) ==
                     resolutions.end()) {
    resolutions.push_back(space.max_resolution());
  }
  return resolutions;
}

BatchLoader::BatchLoader(BatchPlan plan)
    : plan_(std::move(plan)),
      sampler_(plan_.train_indices, plan_.seed, static_cast<std::uint64_t>(plan_.stage.bits)),
      augmenter_(plan_.normalization, plan_.augment_options()) {
  sampler_.Seek(plan_.first_step * plan_.stage.batch_size);
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

BatchLoader::~BatchLoader() = default;

void BatchLoader::Run(const std::stop_token& stop) {
  for (std::int64_t step = plan_.first_step; !stop.stop_requested(); ++step) {
    Batch batch;
    std::exception_ptr fault;
    try {
      batch = Make(step);
    } catch (...) {
      fault = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return ready_.size() < kAhead; })) return;
    if (fault) {
      fault_ = fault;
      changed_.notify_all();
      return;
    }
    ready_.push_back(std::move(batch));
    changed_.notify_all();
  }
}

Batch BatchLoader::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || fault_; });
  if (ready_.empty()) std::rethrow_exception(fault_);
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return batch;
}

Batch BatchLoader::Make(std::int64_t step) {
  const int count = plan_.stage.batch_size;
  Batch batch;
  batch.labels = at::empty({count}, at::kLong);
  for (const int resolution : plan_.ResolutionsOf(step)) {
    batch.images[resolution] =
        at::empty({count, 3, resolution, resolution}, at::TensorOptions(at::kFloat),
                  at::MemoryFormat::ChannelsLast);
  }
  for (int i = 0; i < count; ++i) {
    const Sampler::Draw draw = sampler_.Next();
    batch.labels.data_ptr<std::int64_t>()[i] =
        plan_.images.labels[static_cast<std::size_t>(draw.image)];
    const RandomStream random(
        plan_.seed, "train.augment",
        {static_cast<std::uint64_t>(plan_.stage.bits), draw.epoch, draw.position});
    for (auto& [resolution, images] : batch.images) {
      RandomStream same = random;
      augmenter_.Apply(plan_.images, draw.image, resolution, same,
                       images.data_ptr<float>() + std::int64_t{3} * i * resolution * resolution);
    }
  }
  return batch;
}

}  // namespace oqat::supernet
