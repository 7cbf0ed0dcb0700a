// SPDX-License-Identifier: Apache-2.0
#include "server/search_run.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "predictor/adapted.h"
#include "predictor/gaussian_process.h"
#include "search/early_stop.h"
#include "search/kendall.h"
#include "server/records.h"

namespace oqat::server {
namespace {

constexpr std::int64_t kBatchSize = 100;
constexpr int kKeyVersion = 2;  // one more whenever equal requests would measure something else

Error BadRecord(const std::string& search, const std::string& what) {
  return Error(Code::kDataLoss, "search " + search + " in the database: " + what);
}

}  // namespace

SearchRun::SearchRun(std::string id, SearchSpec spec, std::shared_ptr<const ServedModel> model)
    : id_(std::move(id)), spec_(std::move(spec)), model_(std::move(model)) {
  space_json_ = space::SpaceToJson(model_->model.space).dump();
  auto plan = std::make_shared<Plan>();
  plan->space = SearchableSpace(model_->model);
  plan->request = spec_.request;
  plan->factory = [space = plan->space] {
    using predictor::GaussianProcess;
    return std::make_unique<predictor::Adapted<search::Predictor, GaussianProcess>>(space);
  };
  plan->strategy = search::MakeStrategy(plan->space, plan->request, plan->factory);
  plan_ = std::move(plan);
}

std::string SearchRun::EvaluationKey(const std::string& architecture_key, int bits, bool final,
                                     const std::optional<double>& stop_below) const {
  const artifacts::Model& model = model_->model;
  Json key = {{"version", kKeyVersion},
              {"engine", spec_.measurement.engine},
              {"checkpoint", model.checkpoint(bits).file.sha256},
              {"evaluation_set", model.evaluation_set.sha256},
              {"architecture", architecture_key},
              {"split", final ? kTestSplit : kSearchSplit},
              {"calibration_images", spec_.measurement.calibration_images},
              {"images", final ? 0 : spec_.measurement.search_images},
              {"batch_size", kBatchSize}};
  if (!final && spec_.measures_latency()) key["latency_on"] = spec_.measurement.cpu;
  if (stop_below) key["stop_below"] = *stop_below;
  return Sha256Hex(key.dump());
}

storage::Round SearchRun::MakeRound(const Proposal& proposal, bool final) const {
  const std::string split = final ? kTestSplit : kSearchSplit;
  storage::Round round;
  round.search_id = id_;
  round.round = static_cast<std::int64_t>(rounds_.size());
  Json note = {{"split", split}};
  for (std::size_t i = 0; i < proposal.candidates.size(); ++i) {
    const space::Architecture& candidate = proposal.candidates[i];
    const std::string key = space::ToKey(space(), candidate);
    std::optional<double> stop_below;
    if (!proposal.stop_below.empty()) {
      stop_below = proposal.stop_below[i];
      note["stop_below"].push_back(stop_below ? Json(*stop_below) : Json());
    }
    round.candidates.push_back({static_cast<std::int64_t>(i), key, split,
                                EvaluationKey(key, candidate.bits, final, stop_below)});
  }
  round.note_json = note.dump();
  return round;
}

storage::Round SearchRun::WarmRound() const {
  return {id_, search::kWarmRound, Json{{"split", kSearchSplit}}.dump(), {}};
}

void SearchRun::AddRound(const storage::Round& record) {
  const bool warm = record.round == search::kWarmRound;
  const bool expected = warm ? rounds_.empty() && warm_.trials.empty()
                             : record.round == static_cast<std::int64_t>(rounds_.size());
  if (!expected || has_final()) {
    throw BadRecord(id_, "round " + std::to_string(record.round) + " is out of order");
  }
  Round round;
  try {
    const Json note = ParseJson(record.note_json, "note");
    round.final = note.at("split") == kTestSplit;
    for (const storage::Candidate& candidate : record.candidates) {
      if (candidate.index != static_cast<std::int64_t>(round.trials.size())) {
        throw Error(Code::kDataLoss, "candidates are missing");
      }
      Trial trial;
      trial.architecture = space::FromKey(space(), candidate.architecture_key);
      trial.architecture_key = candidate.architecture_key;
      trial.evaluation_key = candidate.evaluation_key;
      trial.metrics = space::CostMetrics(space(), trial.architecture);
      if (note.contains("stop_below")) {
        const Json& bound = note.at("stop_below").at(round.trials.size());
        if (!bound.is_null()) trial.stop_below = bound.get<double>();
      }
      round.trials.push_back(std::move(trial));
    }
  } catch (const std::exception& error) {
    throw BadRecord(id_, "round " + std::to_string(record.round) + ": " + error.what());
  }
  round.open = static_cast<int>(round.trials.size());
  if (warm) {
    warm_ = std::move(round);
    return;
  }
  if (!round.final) proposed_ += round.open;
  rounds_.push_back(std::move(round));
}

void SearchRun::SetResult(const storage::CandidateResult& result) {
  if (Find(static_cast<int>(result.round), static_cast<int>(result.index)) == nullptr) {
    throw BadRecord(id_, "a result belongs to no candidate");
  }
  const bool warm = result.round == search::kWarmRound;
  Round& round = warm ? warm_ : rounds_[static_cast<std::size_t>(result.round)];
  Trial& trial = round.trials[static_cast<std::size_t>(result.index)];
  if (trial.state != Trial::State::kOpen) return;
  const bool failed = result.state == kResultFailed;
  if (!failed) {
    const MeasuredRecord measured = MeasuredFromJson(result.metrics_json);
    for (const auto& [metric, value] : measured.metrics) trial.metrics[metric] = value;
    trial.stopped_after = measured.stopped_after;
  }
  trial.state = failed ? Trial::State::kFailed : Trial::State::kDone;
  trial.cached = result.state == kResultCached;
  trial.worker = result.worker;
  trial.error = result.error;
  trial.seconds = static_cast<double>(result.duration_ms) / 1000;
  --round.open;
  if (round.final || warm) return;
  ++done_;
  failed_ += failed ? 1 : 0;
  cached_ += trial.cached ? 1 : 0;
}

void SearchRun::SetReport(const search::RoundReport& report) {
  report_ = report;
  reported_ = report.round + 1;
}

const Trial* SearchRun::Find(int round, int index) const {
  const bool warm = round == search::kWarmRound;
  if (!warm && (round < 0 || round >= static_cast<int>(rounds_.size()))) return nullptr;
  const auto& trials = warm ? warm_.trials : rounds_[static_cast<std::size_t>(round)].trials;
  if (index < 0 || index >= static_cast<int>(trials.size())) return nullptr;
  return &trials[static_cast<std::size_t>(index)];
}

int SearchRun::CompleteRounds() const {
  while (complete_ < search_rounds() && rounds_[static_cast<std::size_t>(complete_)].open == 0) {
    ++complete_;
  }
  return complete_;
}

SearchRun::Step SearchRun::Next() const {
  const int next = search_rounds();
  const int complete = CompleteRounds();
  if (complete > 0 && !rounds_[0].trials.empty() &&
      std::all_of(rounds_[0].trials.begin(), rounds_[0].trials.end(),
                  [](const Trial& trial) { return trial.state == Trial::State::kFailed; })) {
    return Step::kFail;
  }
  const search::SearchRequest& request = spec_.request;
  const bool more = !has_final() && StopReason().empty() && !SpentOrExhausted();
  // Where the hypervolume may end the search, rounds wait for reports, not only for measurements:
  // which ones are proposed must not depend on who is faster.
  const int settled = request.stop_after_stagnant_rounds > 0 ? reported_ : complete;
  if (more && settled > next - request.lag) return Step::kPropose;
  if (reported_ < complete) return Step::kReport;
  if (more || complete < next) return Step::kWait;
  if (!has_final()) return Step::kProposeFinal;
  return rounds_.back().open == 0 ? Step::kSucceed : Step::kWait;
}

// A round that came out empty says that the space has nothing more to offer.
bool SearchRun::SpentOrExhausted() const {
  const int next = search_rounds();
  return proposed_ >= spec_.request.evaluations ||
         (next > 0 && rounds_[static_cast<std::size_t>(next - 1)].trials.empty());
}

std::string SearchRun::StopReason() const {
  if (SpentOrExhausted()) return "";
  const search::Stagnation rest = report_ ? report_->stagnation : search::Stagnation{};
  if (search_rounds() >= search::MostRounds(spec_.request, rest)) {
    return "stopped because the hypervolume stagnated: after round " +
           std::to_string(rest.grown_round) + ", none of " +
           std::to_string(spec_.request.stop_after_stagnant_rounds) + " made it grow by 0.1 %";
  }
  if (time_is_up_) {
    return "stopped because max_seconds, " + std::to_string(spec_.request.max_seconds) +
           ", were over";
  }
  return "";
}

std::vector<search::Measured> SearchRun::MeasuredBefore(int rounds) const {
  std::vector<search::Measured> measured;
  for (int r = search::kWarmRound; r < std::min(rounds, search_rounds()); ++r) {
    const Round& round = r == search::kWarmRound ? warm_ : rounds_[static_cast<std::size_t>(r)];
    const auto& trials = round.trials;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (trials[i].state == Trial::State::kOpen) continue;
      measured.push_back({r, static_cast<int>(i), trials[i].architecture, trials[i].metrics,
                          trials[i].state == Trial::State::kFailed, trials[i].stopped_after > 0});
    }
  }
  return measured;
}

search::History SearchRun::HistoryFor(int round) const {
  const int visible = std::max(0, round - spec_.request.lag + 1);
  search::History history;
  history.measured = MeasuredBefore(visible);
  for (int r = visible; r < round; ++r) {
    for (const Trial& trial : rounds_[static_cast<std::size_t>(r)].trials) {
      history.pending.push_back(trial.architecture);
    }
  }
  return history;
}

std::function<Proposal()> SearchRun::ProposeWork() const {
  const int round = search_rounds();
  const int count = std::min(spec_.request.round_size, spec_.request.evaluations - proposed_);
  return [plan = plan_, history = HistoryFor(round), round, count,
          early_stop = spec_.measurement.early_stop] {
    RandomStream random = search::RoundStream(plan->request.seed, round);
    Proposal proposal{plan->strategy->Propose(history, round, count, random), {}};
    if (!early_stop) return proposal;
    for (const space::Architecture& candidate : proposal.candidates) {
      proposal.stop_below.push_back(search::StopBelow(plan->request, history.measured,
                                                      space::CostMetrics(plan->space, candidate)));
    }
    return proposal;
  };
}

std::function<Proposal()> SearchRun::ProposeFinalWork() const {
  return [front = FrontWork()] {
    Proposal proposal;
    for (const search::Measured& member : front()) {
      proposal.candidates.push_back(member.architecture);
    }
    return proposal;
  };
}

std::function<std::vector<search::Measured>()> SearchRun::FrontWork() const {
  return [plan = plan_, measured = MeasuredBefore(search_rounds())] {
    return search::FinalFront(plan->space, plan->request, measured);
  };
}

std::function<search::RoundReport()> SearchRun::ReportWork() const {
  const int round = reported_;
  const search::Stagnation before = report_ ? report_->stagnation : search::Stagnation{};
  return [plan = plan_, round, before, history = HistoryFor(round),
          measured = MeasuredBefore(round + 1)] {
    // The predictor is judged on the first measured objective, before it learns this round.
    std::optional<double> tau, tau_best;
    const auto& objectives = plan->request.objectives;
    const auto judged =
        std::find_if(objectives.begin(), objectives.end(),
                     [](const search::Objective& o) { return !space::IsCost(o.metric); });
    std::vector<space::Architecture> architectures;
    std::vector<double> values;
    for (const search::Measured& m : measured) {
      if (m.round != round || m.failed || m.stopped || judged == objectives.end()) continue;
      architectures.push_back(m.architecture);
      values.push_back(m.metrics.at(judged->metric));
    }
    if (plan->request.strategy == "predictor_nsga2" && architectures.size() > 1) {
      const std::vector<double> predicted = search::PredictRound(
          plan->space, plan->request, plan->factory, history, round, judged->metric, architectures);
      if (!predicted.empty()) {
        tau = search::KendallTau(predicted, values);
        tau_best = search::KendallTauOfBest(predicted, values, judged->maximize);
      }
    }
    return search::ReportRound(plan->space, plan->request, measured, round, tau, tau_best, before);
  };
}

LeaseOrder SearchRun::OrderOf(int round, int index) const {
  const bool final = rounds_.at(static_cast<std::size_t>(round)).final;
  const Trial& trial = *Find(round, index);
  LeaseOrder order;
  order.space_json = space_json_;
  order.architecture = trial.architecture;
  order.checkpoint = model_->model.checkpoint(trial.architecture.bits).file;
  order.evaluation_set = model_->model.evaluation_set;
  order.split = final ? kTestSplit : kSearchSplit;
  order.engine = spec_.measurement.engine;
  order.calibration_images = spec_.measurement.calibration_images;
  order.images = final ? 0 : spec_.measurement.search_images;
  order.batch_size = kBatchSize;
  order.latency = !final && spec_.measures_latency();
  order.stop_below = trial.stop_below;
  order.evaluation_key = trial.evaluation_key;
  return order;
}

std::optional<space::MetricValues> SearchRun::TestMetrics(
    const std::string& architecture_key) const {
  if (!has_final()) return std::nullopt;
  for (const Trial& trial : rounds_.back().trials) {
    if (trial.architecture_key != architecture_key) continue;
    if (trial.state != Trial::State::kDone) return std::nullopt;
    space::MetricValues measured = trial.metrics;
    std::erase_if(measured, [](const auto& entry) { return space::IsCost(entry.first); });
    return measured;
  }
  return std::nullopt;
}

std::string SearchRun::FirstError() const {
  for (const Trial& trial : rounds_.at(0).trials) {
    if (!trial.error.empty()) return trial.error;
  }
  return "";
}

}  // namespace oqat::server
