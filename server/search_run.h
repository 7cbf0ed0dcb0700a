// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/front.h"
#include "search/history.h"
#include "search/predictor.h"
#include "search/request.h"
#include "search/strategy.h"
#include "server/search_spec.h"
#include "server/served_model.h"
#include "server/worker_pool.h"
#include "storage/store.h"

namespace oqat::server {

// storage::Candidate.split
inline constexpr const char* kSearchSplit = "search";
inline constexpr const char* kTestSplit = "test";

/// One candidate and what became of it.
struct Trial {
  enum class State { kOpen, kDone, kFailed };

  space::Architecture architecture;
  std::string architecture_key;
  std::string evaluation_key;
  State state = State::kOpen;
  std::optional<double> stop_below;  ///< top1; only where the request wants early stops
  space::MetricValues metrics;       ///< costs at once, measured ones when done
  std::int64_t stopped_after = 0;    ///< images after which it was given up; 0: all were counted
  bool cached = false;
  std::string worker;
  std::string error;
  double seconds = 0;
};

/// Candidates, and what each must reach (Trial::stop_below; empty: none has to).
struct Proposal {
  std::vector<space::Architecture> candidates;
  std::vector<std::optional<double>> stop_below;
};

/// A search as far as it has come: its rounds, and from them what to do next. A pure function of
/// what is in the store; no threads, no clock. The work that Work objects describe may run
/// anywhere: they hold copies.
class SearchRun {
 public:
  enum class Step {
    kWait,          ///< for measurements
    kPropose,       ///< the next round
    kReport,        ///< on the oldest complete round that has none
    kProposeFinal,  ///< the front's members, to be measured on the test split
    kSucceed,
    kFail,  ///< the whole first round failed: no later one would do better
  };

  struct Round {
    bool final = false;  ///< measured on the test split
    int open = 0;        ///< trials that are neither done nor failed
    std::vector<Trial> trials;
  };

  SearchRun(std::string id, SearchSpec spec, std::shared_ptr<const ServedModel> model);

  const std::string& id() const { return id_; }
  const SearchSpec& spec() const { return spec_; }
  const ServedModel& model() const { return *model_; }
  const space::SearchSpace& space() const { return plan_->space; }
  const std::vector<Round>& rounds() const { return rounds_; }
  const std::optional<search::RoundReport>& report() const { return report_; }
  int reported() const { return reported_; }  ///< rounds that have their report

  /// The record of the next round; AddRound takes it in once it is committed.
  storage::Round MakeRound(const Proposal& proposal, bool final) const;

  /// The record of what earlier searches measured, without candidates yet. Comes before all rounds.
  storage::Round WarmRound() const;

  /// Throws Error DATA_LOSS for records that were not made here, or out of order.
  void AddRound(const storage::Round& record);
  /// Throws Error DATA_LOSS.
  void SetResult(const storage::CandidateResult& result);
  void SetReport(const search::RoundReport& report);

  /// From now on no further round is proposed. The clock is the caller's.
  void SetTimeIsUp() { time_is_up_ = true; }

  Step Next() const;
  /// What ends the search before its budget is spent, for people; empty: nothing does.
  std::string StopReason() const;
  const Trial* Find(int round, int index) const;  ///< null if there is none
  const Round& warm() const { return warm_; }     ///< what earlier searches measured
  LeaseOrder OrderOf(int round, int index) const;

  /// The proposal of the next round; empty when nothing is left to propose.
  std::function<Proposal()> ProposeWork() const;
  std::function<Proposal()> ProposeFinalWork() const;
  std::function<search::RoundReport()> ReportWork() const;
  /// The front of what has been measured so far.
  std::function<std::vector<search::Measured>()> FrontWork() const;

  /// Metrics on the test split of an architecture, if they were measured.
  std::optional<space::MetricValues> TestMetrics(const std::string& architecture_key) const;
  /// Why the first round failed, for kFail.
  std::string FirstError() const;

  // Counts.
  int search_rounds() const { return static_cast<int>(rounds_.size()) - (has_final() ? 1 : 0); }
  bool has_final() const { return !rounds_.empty() && rounds_.back().final; }
  int proposed() const { return proposed_; }
  int done() const { return done_; }  ///< search split, failed and cached ones included
  int failed() const { return failed_; }
  int cached() const { return cached_; }

 private:
  // What the work needs and what never changes; shared with work in progress.
  struct Plan {
    space::SearchSpace space;
    search::SearchRequest request;
    search::PredictorFactory factory;
    std::unique_ptr<search::Strategy> strategy;
  };

  int CompleteRounds() const;
  bool SpentOrExhausted() const;
  std::vector<search::Measured> MeasuredBefore(int rounds) const;
  search::History HistoryFor(int round) const;
  std::string EvaluationKey(const std::string& architecture_key, int bits, bool final,
                            const std::optional<double>& stop_below) const;

  std::string id_;
  SearchSpec spec_;
  std::shared_ptr<const ServedModel> model_;
  std::string space_json_;
  std::shared_ptr<const Plan> plan_;
  Round warm_;
  std::vector<Round> rounds_;
  bool time_is_up_ = false;
  mutable int complete_ = 0;  // leading rounds of the search split without open trials
  int reported_ = 0;
  std::optional<search::RoundReport> report_;
  int proposed_ = 0, done_ = 0, failed_ = 0, cached_ = 0;
};

}  // namespace oqat::server
