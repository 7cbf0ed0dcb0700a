#pragma once

#include <exception>
#include <string>

#include "artifacts/model.h"
#include "oqat/v1/worker_service.pb.h"
#include "workers/evaluator.h"

namespace oqat::workers {

/// A lease in our own words, checked. The files of `task` are empty until they are fetched.
struct LeaseTask {
  EvaluationTask task;
  std::string engine;
  artifacts::ArtifactRef checkpoint, evaluation_set;
};

/// Throws Error INVALID_ARGUMENT naming the field of the lease, its value and what is allowed.
LeaseTask TaskFromLease(const v1::Lease& lease);

/// The answer to a lease that was measured. Throws Error INTERNAL naming a metric that is not
/// finite: such a number is a fault of the checkpoint or of the engine, never a measurement.
v1::WorkerMessage ResultOf(const v1::LeaseId& id, const EvaluationOutcome& outcome, double seconds);

/// The answer to a lease that could not be measured: canonical code and one line of text.
v1::WorkerMessage FailureOf(const v1::LeaseId& id, const std::exception& error);

}  // namespace oqat::workers
