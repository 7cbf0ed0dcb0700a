#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "artifacts/evaluation_protocol.h"
#include "space/architecture.h"
#include "space/metric.h"

namespace oqat::workers {

/// A file that is there and whole. Equal ids mean equal bytes, so what was loaded from one may be
/// kept and used again.
struct LocalFile {
  std::string id;  ///< its sha256
  std::string path;
};

/// One measurement: everything its result depends on.
struct EvaluationTask {
  space::SearchSpace space;
  space::Architecture architecture;  ///< canonical for `space`
  LocalFile checkpoint;              ///< of `space`, at the architecture's bits
  LocalFile evaluation_set;
  artifacts::EvaluationProtocol protocol;
};

struct EvaluationOutcome {
  space::MetricValues metrics;  ///< the measured ones: top1, loss, latency if it was asked for
  std::int64_t images = 0;      ///< images counted
  bool stopped = false;         ///< as hopeless, before all were counted
};

/// Measures subnets. A worker asks nothing else of its engine.
///
/// An evaluator belongs to one thread; a worker with N evaluation threads has N of them. The same
/// task always gives the same outcome. Between calls it may keep loaded files by their ids.
class Evaluator {
 public:
  /// Takes the share done, 0 to 1; returns false to ask the evaluation to stop.
  using Progress = std::function<bool(double)>;

  virtual ~Evaluator() = default;

  /// "int8" or "torch" (space::EngineNames): whose leases the worker gets.
  virtual std::string_view engine() const = 0;

  /// The processor that latencies are measured on, in a form that is equal where they may be
  /// compared. Empty: this engine measures none.
  virtual std::string cpu() const { return ""; }

  /// Throws Error: CANCELLED after `progress` said to stop; INVALID_ARGUMENT or DATA_LOSS for a
  /// checkpoint or evaluation set that does not fit or is broken. It stays usable after any error.
  virtual EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) = 0;
};

// What engines have in common.

/// Throws Error INVALID_ARGUMENT unless the checkpoint is of the task's space and bits and the
/// set has the space's classes.
void CheckFits(const EvaluationTask& task, const space::SearchSpace& checkpoint_space,
               int checkpoint_bits, const artifacts::EvaluationSet& set);

EvaluationOutcome OutcomeOf(const artifacts::EvaluationResult& result);

/// `progress` by images done and in all.
std::function<bool(std::int64_t, std::int64_t)> ByImages(const Evaluator::Progress& progress);

}  // namespace oqat::workers
