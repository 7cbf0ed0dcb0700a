#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "artifacts/evaluation_set.h"
#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"
#include "workers/evaluator.h"

namespace oqat::workers {

/// What the int8 evaluators of one process read and none of them changes: the last few quantized
/// supernets (a search alternates between the bit widths of one model) and the last evaluation set.
/// Thread-safe; a thread waits while another one loads.
class Int8Files {
 public:
  explicit Int8Files(std::size_t supernets_kept = 4);

  /// Throws Error as artifacts::ReadCheckpoint and runtime::QuantizedSupernet do.
  std::shared_ptr<const runtime::QuantizedSupernet> Supernet(const LocalFile& file);
  /// Throws Error as artifacts::ReadEvaluationSet does.
  std::shared_ptr<const artifacts::EvaluationSet> Set(const LocalFile& file);

 private:
  const std::size_t supernets_kept_;
  std::mutex mutex_;
  /// By checkpoint id, most recently used first.
  std::list<std::pair<std::string, std::shared_ptr<const runtime::QuantizedSupernet>>> supernets_;
  std::string set_id_;
  std::shared_ptr<const artifacts::EvaluationSet> set_;
};

/// Integer arithmetic (runtime/): the same counts on every machine. Links no LibTorch.
class Int8Evaluator final : public Evaluator {
 public:
  explicit Int8Evaluator(std::shared_ptr<Int8Files> files);

  std::string_view engine() const override { return "int8"; }
  std::string cpu() const override;
  EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) override;

 private:
  const std::shared_ptr<Int8Files> files_;
  const runtime::Kernels& kernels_;
};

}  // namespace oqat::workers
