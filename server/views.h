// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/search_run.h"

// What the coordinator tells of its searches: copies, safe to keep.
namespace oqat::server {

enum class SearchState { kPending, kRunning, kPaused, kSucceeded, kCancelled, kFailed };

/// "PENDING", "RUNNING", ...
std::string SearchStateName(SearchState state);
SearchState SearchStateFromName(const std::string& name);  ///< throws Error DATA_LOSS
inline bool HasEnded(SearchState state) { return state >= SearchState::kSucceeded; }

/// How much of a search is done.
struct SearchCounts {
  int rounds = 0;  ///< of the search split
  int done = 0;    ///< on the search split, failed and cached ones included
  int failed = 0;
  int cached = 0;
  int final_done = 0;
  int final_total = 0;
};

SearchCounts CountsOf(const SearchRun& run);

struct SearchView {
  std::string id;
  std::string model;
  std::string model_content_id;
  SearchSpec spec;
  SearchState state = SearchState::kPending;
  std::string error;
  std::int64_t create_time_ms = 0;
  std::int64_t start_time_ms = 0;  ///< 0: not yet
  std::int64_t end_time_ms = 0;    ///< 0: not yet
  SearchCounts counts;
  std::optional<search::RoundReport> report;  ///< of the last complete round
  int in_flight = 0;
  int connected_workers = 0;
  std::string note;
};

struct TrialView {
  std::string search;
  int round = 0;
  int index = 0;
  bool leased = false;
  Trial trial;
  std::optional<space::MetricValues> test_metrics;
  std::string cpu;  ///< that latency_ms was measured on; empty without
};

struct FrontView {
  std::string search;
  std::vector<search::Objective> objectives;
  std::vector<TrialView> members;
  double hypervolume = 0;
  bool final = false;
};

struct EventView {
  std::int64_t sequence = 0;  ///< 0: not stored
  std::int64_t time_ms = 0;
  std::string type;
  std::string message;
  std::optional<TrialView> trial;
};

}  // namespace oqat::server
