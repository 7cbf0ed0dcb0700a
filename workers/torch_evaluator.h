#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "artifacts/evaluation_set.h"
#include "supernet/subnet_evaluator.h"
#include "workers/evaluator.h"

namespace oqat::workers {

/// Fake quantization in LibTorch (supernet::SubnetEvaluator), one intra-op thread. Keeps the last
/// few checkpoints and the last evaluation set in memory: a search alternates between the bit
/// widths of one model.
class TorchEvaluator final : public Evaluator {
 public:
  explicit TorchEvaluator(std::size_t checkpoints_kept = 4);

  std::string_view engine() const override { return "torch"; }
  EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) override;

 private:
  struct Loaded {
    std::string id;
    space::SearchSpace space;
    int bits = 0;
    std::unique_ptr<supernet::SubnetEvaluator> evaluator;
  };

  Loaded& Checkpoint(const LocalFile& file);
  const artifacts::EvaluationSet& Set(const LocalFile& file);

  const std::size_t checkpoints_kept_;
  std::list<Loaded> checkpoints_;  ///< most recently used first
  std::string set_id_;
  artifacts::EvaluationSet set_;
};

}  // namespace oqat::workers
