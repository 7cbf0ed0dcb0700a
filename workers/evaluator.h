#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "artifacts/evaluation_set.h"
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
  artifacts::Split split = artifacts::Split::kSearch;
  std::int64_t calibration_images = 0;  ///< 0: all of the set's
  std::int64_t images = 0;              ///< of the split, from its start; 0: all
  std::int64_t batch_size = 100;
};

struct EvaluationOutcome {
  space::MetricValues metrics;  ///< the measured ones: top1, loss
  std::int64_t images = 0;      ///< images counted
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

  /// "torch", "int8", "fake": what the worker says it is.
  virtual std::string_view engine() const = 0;

  /// Throws Error: CANCELLED after `progress` said to stop; INVALID_ARGUMENT or DATA_LOSS for a
  /// checkpoint or evaluation set that does not fit or is broken. It stays usable after any error.
  virtual EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) = 0;
};

}  // namespace oqat::workers
