// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "server/search_run.h"
#include "storage/store.h"

namespace oqat::server {

/// What a search takes over from earlier ones: a round before its first one, with its results.
struct WarmStart {
  storage::Round round;
  std::vector<storage::CandidateResult> results;
};

/// Copies what the searches that `run` names under warm_start have measured, what they had taken
/// over themselves included: each architecture of the allowed bit widths once, the first named
/// search's result. Failed and early stopped ones are left out. Copies, because a search must not
/// change when an earlier one is deleted. Throws Error NOT_FOUND, FAILED_PRECONDITION (it has not
/// ended) or INVALID_ARGUMENT (another model, another way to measure), naming the field.
WarmStart ReadWarmStart(storage::Store& store, const SearchRun& run);

}  // namespace oqat::server
