#include "workers/torch_evaluator.h"

#include <algorithm>

#include "artifacts/checkpoint.h"
#include "base/error.h"

namespace oqat::workers {

TorchEvaluator::TorchEvaluator(std::size_t checkpoints_kept)
    : checkpoints_kept_(std::max<std::size_t>(1, checkpoints_kept)) {}

TorchEvaluator::Loaded& TorchEvaluator::Checkpoint(const LocalFile& file) {
  const auto found = std::find_if(checkpoints_.begin(), checkpoints_.end(),
                                  [&](const Loaded& loaded) { return loaded.id == file.id; });
  if (found != checkpoints_.end()) {
    checkpoints_.splice(checkpoints_.begin(), checkpoints_, found);
    return checkpoints_.front();
  }
  // Room first: two large supernets at once might not fit where one does.
  while (checkpoints_.size() >= checkpoints_kept_) checkpoints_.pop_back();
  const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(file.path);
  checkpoints_.push_front({file.id, checkpoint.space, checkpoint.bits,
                           std::make_unique<supernet::SubnetEvaluator>(checkpoint)});
  return checkpoints_.front();
}

const artifacts::EvaluationSet& TorchEvaluator::Set(const LocalFile& file) {
  if (set_id_ != file.id) {
    set_id_.clear();
    set_ = {};
    set_ = artifacts::ReadEvaluationSet(file.path);
    set_id_ = file.id;
  }
  return set_;
}

EvaluationOutcome TorchEvaluator::Evaluate(const EvaluationTask& task, const Progress& progress) {
  Loaded& loaded = Checkpoint(task.checkpoint);
  if (!(loaded.space == task.space)) {
    throw InvalidField(
        "checkpoint.space", loaded.space.name,
        "the space of the architecture, " + task.space.name + ", equal in every field");
  }
  if (loaded.bits != task.architecture.bits) {
    throw InvalidField("checkpoint.bits", std::to_string(loaded.bits),
                       "the architecture's " + std::to_string(task.architecture.bits));
  }
  const artifacts::EvaluationSet& set = Set(task.evaluation_set);
  if (set.class_names.size() != static_cast<std::size_t>(task.space.num_classes)) {
    throw InvalidField("evaluation_set.class_names",
                       std::to_string(set.class_names.size()) + " classes",
                       "the space's num_classes, " + std::to_string(task.space.num_classes));
  }
  artifacts::EvaluationProtocol protocol;
  protocol.split = task.split;
  protocol.calibration_images = task.calibration_images;
  protocol.images = task.images;
  protocol.batch_size = task.batch_size;
  const artifacts::EvaluationResult result = loaded.evaluator->Evaluate(
      task.architecture, set, protocol, [&](std::int64_t done, std::int64_t total) {
        return !progress ||
               progress(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0);
      });
  return {{{space::Metric::kTop1, result.top1}, {space::Metric::kLoss, result.loss}},
          result.images};
}

}  // namespace oqat::workers
