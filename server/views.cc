// SPDX-License-Identifier: Apache-2.0
#include "server/views.h"

#include <array>
#include <cstddef>

namespace oqat::server {
namespace {

constexpr std::array<const char*, 6> kStateNames = {"PENDING",   "RUNNING",   "PAUSED",
                                                    "SUCCEEDED", "CANCELLED", "FAILED"};

}  // namespace

std::string SearchStateName(SearchState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

SearchState SearchStateFromName(const std::string& name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (name == kStateNames[i]) return static_cast<SearchState>(i);
  }
  throw Error(Code::kDataLoss, "state of a search in the database: unknown \"" + name + "\"");
}

SearchCounts CountsOf(const SearchRun& run) {
  SearchCounts counts;
  counts.rounds = run.search_rounds();
  counts.done = run.done();
  counts.failed = run.failed();
  counts.cached = run.cached();
  if (run.has_final()) {
    const SearchRun::Round& final = run.rounds().back();
    counts.final_total = static_cast<int>(final.trials.size());
    counts.final_done = counts.final_total - final.open;
  }
  return counts;
}

}  // namespace oqat::server
