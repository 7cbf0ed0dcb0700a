#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "supernet/elastic_net.h"
#include "supernet/extract.h"
#include "supernet/train/batch_loader.h"
#include "supernet/train/recipe.h"
#include "supernet/train/sandwich.h"
#include "supernet/train/sgd.h"

namespace oqat::supernet {

/// The frozen float network to learn from, by resolution (its statistics differ); empty: none.
using FloatTeacher = std::map<int, FixedNet>;

/// Trains a supernet at one bit width, step by step. Everything random comes from streams of the
/// seed, the stage's bits and the step, so a stage depends only on its start, the recipe, the
/// images and the seed, and can go on from any step. Not thread-safe.
class StageTrainer {
 public:
  /// `net`, `recipe`, `batches` and `teacher` must outlive the trainer; `net` is at the stage's bit
  /// width. `teacher` may be empty. `first_step`: steps that were made before.
  StageTrainer(ElasticNet& net, const Recipe& recipe, const RecipeStage& stage,
               BatchSource& batches, FloatTeacher& teacher, std::uint64_t seed,
               std::int64_t first_step);

  /// One step: all subnets of PlanStep see the same images and their gradients are summed. Returns
  /// the first subnet's loss (the largest's against the labels where it is trained), nats.
  /// `progress` is the share of the stage that is done. Throws Error FAILED_PRECONDITION if a loss
  /// or a gradient is not finite; the weights are then unchanged.
  double Step(double learning_rate, double progress);

  std::int64_t steps() const { return steps_; }

  /// The optimizer's memory: all tensors that a stage needs besides the net to go on.
  std::map<std::string, at::Tensor> OptimizerTensors() const;

 private:
  void CheckFinite(const std::vector<at::Tensor>& losses, const std::vector<StepSubnet>& subnets);
  [[noreturn]] void Diverged(const std::string& what);

  ElasticNet& net_;
  const Recipe& recipe_;
  const RecipeStage& stage_;
  BatchSource& batches_;
  FloatTeacher& teacher_;
  const std::uint64_t seed_;
  Sgd sgd_;
  std::int64_t steps_;
};

}  // namespace oqat::supernet
