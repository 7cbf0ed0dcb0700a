// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "search/front.h"
#include "server/search_run.h"
#include "server/views.h"
#include "space/metric.h"

// The JSON texts that the coordinator keeps in the store (docs/STORAGE.md). Reading throws Error
// DATA_LOSS or INVALID_ARGUMENT.
namespace oqat::server {

// storage::CandidateResult.state
inline constexpr const char* kResultDone = "done";
inline constexpr const char* kResultFailed = "failed";
inline constexpr const char* kResultCached = "cached";

/// storage::CandidateResult.metrics_json and storage::Evaluation.metrics_json: what was measured.
struct MeasuredRecord {
  space::MetricValues metrics;
  std::int64_t stopped_after = 0;  ///< images after which it was given up; 0: all were counted
};
std::string MeasuredToJson(const MeasuredRecord& measured);
MeasuredRecord MeasuredFromJson(const std::string& text);

/// storage::Model.manifest_json; ModelFromRecord reads it.
std::string ManifestRecord(const ServedModel& model);

/// storage::Search.request_json: the spec and the model's manifest, so that an ended search can be
/// read when its model is deleted.
std::string RequestRecord(const SearchSpec& spec, const ServedModel& model);
SearchSpec SpecFromRecord(const std::string& text);
ServedModel ModelFromRecord(const std::string& text);  ///< of either; without creation time

/// storage::Search.outcome_json: when it started, the newest report, and how much is done (exact
/// once the search has ended, before that as of the report).
struct Outcome {
  std::int64_t start_time_ms = 0;
  SearchCounts counts;
  std::optional<search::RoundReport> report;
  std::string stop_reason;  ///< SearchRun::StopReason of a search that has ended
};
std::string OutcomeToJson(const Outcome& outcome);
Outcome OutcomeFromJson(const std::string& text);  ///< of an empty text: nothing happened yet

/// storage::Event.payload_json. `round` and `index` name an evaluation, -1 if there is none.
struct EventPayload {
  std::string message;
  int round = -1;
  int index = -1;
};
std::string EventToJson(const EventPayload& payload);
EventPayload EventFromJson(const std::string& text);

}  // namespace oqat::server
