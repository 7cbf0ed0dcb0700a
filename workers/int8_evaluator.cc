#include "workers/int8_evaluator.h"

#include <algorithm>

#include "artifacts/checkpoint.h"
#include "base/processor.h"
#include "runtime/evaluate.h"

namespace oqat::workers {

Int8Files::Int8Files(std::size_t supernets_kept)
    : supernets_kept_(std::max<std::size_t>(1, supernets_kept)) {}

std::shared_ptr<const runtime::QuantizedSupernet> Int8Files::Supernet(const LocalFile& file) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(supernets_.begin(), supernets_.end(),
                                  [&](const auto& entry) { return entry.first == file.id; });
  if (found != supernets_.end()) {
    supernets_.splice(supernets_.begin(), supernets_, found);
    return supernets_.front().second;
  }
  // Room first: what is dropped may be as large as what comes.
  while (supernets_.size() >= supernets_kept_) supernets_.pop_back();
  const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(file.path);
  supernets_.emplace_front(
      file.id, std::make_shared<const runtime::QuantizedSupernet>(checkpoint, "checkpoint"));
  return supernets_.front().second;
}

std::shared_ptr<const artifacts::EvaluationSet> Int8Files::Set(const LocalFile& file) {
  const std::lock_guard lock(mutex_);
  if (set_id_ != file.id) {
    set_id_.clear();
    set_.reset();
    set_ =
        std::make_shared<const artifacts::EvaluationSet>(artifacts::ReadEvaluationSet(file.path));
    set_id_ = file.id;
  }
  return set_;
}

Int8Evaluator::Int8Evaluator(std::shared_ptr<Int8Files> files)
    : files_(std::move(files)), kernels_(runtime::KernelsFor(runtime::DefaultIsa())) {}

std::string Int8Evaluator::cpu() const {
  return ProcessorName() + ", " + std::string(runtime::IsaName(kernels_.isa));
}

EvaluationOutcome Int8Evaluator::Evaluate(const EvaluationTask& task, const Progress& progress) {
  const auto supernet = files_->Supernet(task.checkpoint);
  const auto set = files_->Set(task.evaluation_set);
  CheckFits(task, supernet->space, supernet->bits, *set);
  return OutcomeOf(runtime::Evaluate(*supernet, task.architecture, *set, task.protocol, kernels_,
                                     ByImages(progress)));
}

}  // namespace oqat::workers
