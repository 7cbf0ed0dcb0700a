#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <cstdint>
#include <optional>
#include <vector>

#include "artifacts/image.h"
#include "base/random.h"
#include "space/architecture.h"
#include "supernet/elastic_net.h"
#include "supernet/train/augment.h"
#include "supernet/train/recipe.h"
#include "supernet/train/sgd.h"

namespace oqat::supernet {

/// Trains a supernet at one bit width, step by step. Everything random comes from streams of the
/// seed and the stage's bits, so a stage depends only on its start, the recipe, the images and the
/// seed. Not thread-safe.
class StageTrainer {
 public:
  /// `net`, `recipe` and `images` must outlive the trainer; `net` is at the stage's bit width.
  StageTrainer(ElasticNet& net, const Recipe& recipe, const RecipeStage& stage,
               const artifacts::ImageSet& images, std::vector<std::int64_t> train_indices,
               const artifacts::Normalization& normalization, std::uint64_t seed);

  /// One step of the sandwich rule (Yu and Huang 2019) with in-place distillation: the largest, the
  /// smallest and some random subnets see the same images; gradients are summed. Returns the
  /// largest's loss against the labels, nats. Throws Error FAILED_PRECONDITION if a loss is not
  /// finite; the weights are then unchanged.
  double Step(double learning_rate);

  std::int64_t steps() const { return steps_; }

 private:
  void NextBatch(int resolution);
  void Backward(const torch::Tensor& loss, const char* subnet);

  ElasticNet& net_;
  const Recipe& recipe_;
  const RecipeStage& stage_;
  const artifacts::ImageSet& images_;
  const std::uint64_t seed_;
  Sampler sampler_;
  Augmenter augmenter_;
  std::optional<Sgd> sgd_;
  std::int64_t steps_ = 0;
  std::vector<float> pixels_;  ///< [batch, resolution, resolution, 3]
  std::vector<std::int64_t> labels_;
  torch::Tensor input_, targets_;  ///< views of the two
};

}  // namespace oqat::supernet
