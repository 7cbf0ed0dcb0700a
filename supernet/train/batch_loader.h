#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "artifacts/image.h"
#include "supernet/train/augment.h"
#include "supernet/train/recipe.h"

namespace oqat::supernet {

/// What one step trains on.
struct Batch {
  /// By resolution: [batch, 3, resolution, resolution] float32, channels_last; the same pictures.
  std::map<int, at::Tensor> images;
  at::Tensor labels;  ///< [batch] int64
};

/// Where a stage's batches come from, one per step.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The next step's batch.
  virtual Batch Next() = 0;
};

/// What decides the batches of a stage. Everything it refers to must outlive the source.
struct BatchPlan {
  const Recipe& recipe;
  const RecipeStage& stage;
  const space::SearchSpace& space;
  const artifacts::ImageSet& images;
  std::vector<std::int64_t> train_indices;
  artifacts::Normalization normalization;
  std::uint64_t seed = 0;
  std::int64_t first_step = 0;  ///< a resumed stage does not begin at 0

  AugmentOptions augment_options() const;
  /// The resolutions that a step needs.
  std::vector<int> ResolutionsOf(std::int64_t step) const;
};

/// Augments on a thread of its own, a few batches ahead of the training. A batch depends on the
/// plan and its step alone. Next is for one thread.
class BatchLoader : public BatchSource {
 public:
  explicit BatchLoader(BatchPlan plan);
  ~BatchLoader() override;

  /// Rethrows what went wrong while the batch was made.
  Batch Next() override;

 private:
  void Run(const std::stop_token& stop);
  Batch Make(std::int64_t step);

  const BatchPlan plan_;
  Sampler sampler_;
  Augmenter augmenter_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> ready_;   ///< guarded by mutex_
  std::exception_ptr fault_;  ///< guarded by mutex_
  std::jthread thread_;       ///< last: it uses all of the above
};

}  // namespace oqat::supernet
