// SPDX-License-Identifier: Apache-2.0
#include "server/warm_start.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "server/records.h"
#include "server/views.h"

namespace oqat::server {
namespace {

std::string HowMeasured(const space::Measurement& how) {
  return "engine " + how.engine + ", calibration_images " + std::to_string(how.calibration_images) +
         ", search_images " + std::to_string(how.search_images) +
         (how.cpu.empty() ? ", no latency_ms" : ", latency_ms on " + how.cpu);
}

storage::Search ReadEnded(storage::Store& store, const SearchRun& run, const std::string& id,
                          const std::string& field) {
  const std::optional<storage::Search> found = store.GetSearch(id);
  if (!found) throw Error(Code::kNotFound, field + ": there is no search searches/" + id);
  if (!HasEnded(SearchStateFromName(found->state))) {
    throw Error(Code::kFailedPrecondition,
                field + ": got " + id + ", which is " + found->state +
                    "; allowed: searches that have ended, so that what they know is settled");
  }
  if (found->model_content_id != run.model().content_id) {
    throw InvalidField(field, id + ", a search of models/" + found->model_name,
                       "searches of a model of equal content to models/" + run.model().model.name);
  }
  const std::string theirs = HowMeasured(SpecFromRecord(found->request_json).measurement);
  const std::string ours = HowMeasured(run.spec().measurement);
  if (theirs != ours) {
    throw InvalidField(field, id + ", measured with " + theirs, "searches measured with " + ours);
  }
  return *found;
}

}  // namespace

WarmStart ReadWarmStart(storage::Store& store, const SearchRun& run) {
  const std::vector<std::string>& ids = run.spec().request.warm_start;
  const std::vector<int> bits = search::BitsOf(run.space(), run.spec().request);
  WarmStart warm;
  warm.round = run.WarmRound();
  std::set<std::string> known;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ReadEnded(store, run, ids[i], "warm_start[" + std::to_string(i) + "]");
    std::map<std::pair<std::int64_t, std::int64_t>, storage::Candidate> candidates;
    for (const storage::Round& round : store.ListRounds(ids[i])) {
      for (const storage::Candidate& candidate : round.candidates) {
        if (candidate.split != kSearchSplit) continue;
        const int width = space::FromKey(run.space(), candidate.architecture_key).bits;
        if (std::find(bits.begin(), bits.end(), width) == bits.end()) continue;
        candidates[{round.round, candidate.index}] = candidate;
      }
    }
    for (storage::CandidateResult& result : store.ListResults(ids[i])) {
      const auto candidate = candidates.find({result.round, result.index});
      if (candidate == candidates.end() || result.state == kResultFailed) continue;
      if (MeasuredFromJson(result.metrics_json).stopped_after > 0) continue;
      if (!known.insert(candidate->second.architecture_key).second) continue;
      const auto index = static_cast<std::int64_t>(warm.round.candidates.size());
      candidate->second.index = index;
      warm.round.candidates.push_back(candidate->second);
      result.search_id = run.id();
      result.round = warm.round.round;
      result.index = index;
      result.state = kResultCached;
      warm.results.push_back(std::move(result));
    }
  }
  return warm;
}

}  // namespace oqat::server
