#include "workers/evaluator.h"

#include "base/error.h"

namespace oqat::workers {

void CheckFits(const EvaluationTask& task, const space::SearchSpace& checkpoint_space,
               int checkpoint_bits, const artifacts::EvaluationSet& set) {
  if (!(checkpoint_space == task.space)) {
    throw InvalidField(
        "checkpoint.space", checkpoint_space.name,
        "the space of the architecture, " + task.space.name + ", equal in every field");
  }
  if (checkpoint_bits != task.architecture.bits) {
    throw InvalidField("checkpoint.bits", std::to_string(checkpoint_bits),
                       "the architecture's " + std::to_string(task.architecture.bits));
  }
  if (set.class_names.size() != static_cast<std::size_t>(task.space.num_classes)) {
    throw InvalidField("evaluation_set.class_names",
                       std::to_string(set.class_names.size()) + " classes",
                       "the space's num_classes, " + std::to_string(task.space.num_classes));
  }
}

EvaluationOutcome OutcomeOf(const artifacts::EvaluationResult& result) {
  EvaluationOutcome outcome;
  outcome.metrics = {{space::Metric::kTop1, result.top1}, {space::Metric::kLoss, result.loss}};
  if (result.latency) {
    outcome.metrics[space::Metric::kLatencyMs] = result.latency->median_ms;
    outcome.metrics[space::Metric::kLatencySpreadMs] = result.latency->spread_ms;
  }
  outcome.images = result.images;
  outcome.stopped = result.stopped;
  return outcome;
}

std::function<bool(std::int64_t, std::int64_t)> ByImages(const Evaluator::Progress& progress) {
  if (!progress) return {};
  return [&progress](std::int64_t done, std::int64_t total) {
    return progress(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0);
  };
}

}  // namespace oqat::workers
