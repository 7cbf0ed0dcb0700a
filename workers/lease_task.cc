#include "workers/lease_task.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "rpc/convert.h"
#include "space/measurement.h"

namespace oqat::workers {
namespace {

constexpr std::size_t kMaxMessageBytes = 1000;
constexpr std::int64_t kMaxBatch = 65'536;

artifacts::ArtifactRef CheckedRef(const v1::ArtifactRef& ref, const std::string& field) {
  if (!IsSha256Hex(ref.sha256())) {
    throw InvalidField(field + ".sha256", "other text", "64 lower-case hex digits");
  }
  if (ref.size() == 0) throw InvalidField(field + ".size", "0", "at least 1 byte");
  return {ref.sha256(), ref.size()};
}

std::int64_t CheckedCount(std::int64_t value, const std::string& field) {
  if (value < 0) throw InvalidField(field, std::to_string(value), "0 (all) or more");
  return value;
}

}  // namespace

LeaseTask TaskFromLease(const v1::Lease& lease) {
  LeaseTask result;
  EvaluationTask& task = result.task;
  try {
    task.space = space::SpaceFromJson(ParseJson(lease.space_json(), "space_json"));
  } catch (const Error& error) {
    throw WithContext("lease", error);
  }
  task.architecture =
      space::Canonical(task.space, rpc::FromProto(lease.architecture()), "lease.architecture");
  result.checkpoint = CheckedRef(lease.checkpoint(), "lease.checkpoint");
  result.evaluation_set = CheckedRef(lease.evaluation_set(), "lease.evaluation_set");
  const v1::Protocol& protocol = lease.protocol();
  artifacts::EvaluationProtocol& how = task.protocol;
  how.split = artifacts::SplitFromName(protocol.split(), "lease.protocol.split");
  if (how.split == artifacts::Split::kCalibration) {
    throw InvalidField("lease.protocol.split", protocol.split(), "search, test");
  }
  how.calibration_images =
      CheckedCount(protocol.calibration_images(), "lease.protocol.calibration_images");
  how.images = CheckedCount(protocol.images(), "lease.protocol.images");
  how.batch_size = protocol.batch_size();
  if (how.batch_size < 1 || how.batch_size > kMaxBatch) {
    throw InvalidField("lease.protocol.batch_size", std::to_string(how.batch_size),
                       "1 to " + std::to_string(kMaxBatch));
  }
  how.latency = protocol.latency();
  if (protocol.has_stop_below()) how.stop_below = protocol.stop_below();
  space::CheckEngine(protocol.engine(), "lease.protocol.engine");
  result.engine = protocol.engine();
  return result;
}

v1::WorkerMessage ResultOf(const v1::LeaseId& id, const EvaluationOutcome& outcome,
                           double seconds) {
  v1::WorkerMessage message;
  v1::Result& result = *message.mutable_result();
  *result.mutable_id() = id;
  for (const auto& [metric, value] : outcome.metrics) {
    if (!std::isfinite(value)) {
      throw Error(Code::kInternal, "metrics." + std::string(space::MetricName(metric)) +
                                       ": the evaluation gave " + std::to_string(value) +
                                       "; allowed: finite numbers (is the checkpoint damaged?)");
    }
  }
  rpc::MetricsToProto(outcome.metrics, *result.mutable_metrics());
  result.set_seconds(seconds);
  if (outcome.stopped) result.set_stopped_after(outcome.images);
  return message;
}

v1::WorkerMessage FailureOf(const v1::LeaseId& id, const std::exception& error) {
  Code code = Code::kInternal;
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    code = ours->code();
  } else if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    code = Code::kResourceExhausted;
  }
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > kMaxMessageBytes) {
    text.resize(kMaxMessageBytes);
    // A proto3 string must be UTF-8: do not end within a character.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) {
      text.pop_back();
    }
    if (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) text.pop_back();
  }
  v1::WorkerMessage message;
  v1::Failure& failure = *message.mutable_failure();
  *failure.mutable_id() = id;
  failure.set_code(std::string(CodeName(code)));
  failure.set_message(std::move(text));
  return message;
}

}  // namespace oqat::workers
