#include "workers/torch_evaluator.h"

#include <algorithm>

#include "artifacts/checkpoint.h"

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
  const artifacts::EvaluationSet& set = Set(task.evaluation_set);
  CheckFits(task, loaded.space, loaded.bits, set);
  return OutcomeOf(
      loaded.evaluator->Evaluate(task.architecture, set, task.protocol, ByImages(progress)));
}

}  // namespace oqat::workers
