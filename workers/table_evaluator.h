#pragma once

#include <memory>

#include "artifacts/evaluation_table.h"
#include "workers/evaluator.h"

namespace oqat::workers {

/// Answers from a table of measurements instead of measuring: a search over a table's architectures
/// takes seconds and gives the very front that real workers give. For comparing strategies and for
/// demonstrations; an architecture that the table lacks is an error, and so is a model, evaluation
/// set or number of images other than the table was measured with. top1 only, no loss.
class TableEvaluator final : public Evaluator {
 public:
  explicit TableEvaluator(std::shared_ptr<const artifacts::EvaluationTable> table);

  /// That of the worker which filled the table: its answers are the same.
  std::string_view engine() const override { return table_->provenance.engine; }
  /// Throws Error FAILED_PRECONDITION naming what does not fit, NOT_FOUND for an architecture.
  EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) override;

 private:
  const std::shared_ptr<const artifacts::EvaluationTable> table_;
};

}  // namespace oqat::workers
