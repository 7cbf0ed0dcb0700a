// SPDX-License-Identifier: Apache-2.0
// How the manager carries searches on: propose, lease, record, report, end.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "server/search_manager.h"

namespace oqat::server {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};

WorkerPool::Time Now() { return std::chrono::steady_clock::now(); }

// Faults that can go away by themselves or by somebody making room.
bool MayPass(Code code) {
  return code == Code::kResourceExhausted || code == Code::kUnavailable ||
         code == Code::kInternal || code == Code::kAborted;
}

std::string ResultMessage(const Trial& trial, const WorkerResult& result) {
  char text[64];
  std::snprintf(text, sizeof text, " top1 %.2f %%", 100 * result.metrics.at(space::Metric::kTop1));
  std::string message = trial.architecture_key + text;
  const auto latency = result.metrics.find(space::Metric::kLatencyMs);
  if (latency != result.metrics.end()) {
    std::snprintf(text, sizeof text, ", %.3f ms", latency->second);
    message += text;
  }
  if (result.stopped_after > 0) {
    message += ", given up after " + std::to_string(result.stopped_after) + " images";
  }
  return message;
}

std::string RoundMessage(const search::RoundReport& report) {
  char text[128];
  std::snprintf(text, sizeof text, "round %d: hypervolume %.4f, %d on the front", report.round,
                report.hypervolume, report.front_size);
  std::string message = text;
  if (report.predictor_tau) {
    std::snprintf(text, sizeof text, ", predictor tau %.3f", *report.predictor_tau);
    message += text;
  }
  if (report.predictor_tau_best) {
    std::snprintf(text, sizeof text, " (best fifth %.3f)", *report.predictor_tau_best);
    message += text;
  }
  return message;
}

// Stores how far a search is, whatever state a command has given it meanwhile; what has ended keeps
// its last word.
void StoreOutcome(storage::Store& store, const std::string& id, std::int64_t now,
                  const Outcome& outcome, const storage::Event& event) {
  const std::optional<storage::Search> search = store.GetSearch(id);
  if (!search || HasEnded(SearchStateFromName(search->state))) return;
  const std::string pending = SearchStateName(SearchState::kPending);
  const std::string running = SearchStateName(SearchState::kRunning);
  store.UpdateSearchState({id,
                           search->state == pending ? running : search->state,
                           now,
                           {},
                           {},
                           OutcomeToJson(outcome)});
  store.AppendEvent(event);
}

}  // namespace

void SearchManager::Persist(storage::AsyncStore::Operation operation, Done done) {
  store_.Submit(operation,
                [this, operation, done = std::move(done)](const std::optional<Error>& error) {
                  if (error && MayPass(error->code())) {
                    if (retrying_++ == 0) {
                      spdlog::error("cannot write, trying again every second: {}", error->what());
                    }
                    storage_trouble_ = error->what();
                    workers_.SetHold(true);
                    loop_.After(kRetryAfter, [this, operation, done] {
                      if (--retrying_ == 0) {
                        workers_.SetHold(false);
                        workers_.Dispatch(Now());
                      }
                      Persist(operation, done);
                    });
                    return;
                  }
                  if (!error && retrying_ == 0) storage_trouble_.clear();
                  done(error);
                });
}

storage::Event SearchManager::NewEvent(const std::string& id, const std::string& type,
                                       const EventPayload& payload) const {
  return {id, 0, clock_(), type, EventToJson(payload)};
}

void SearchManager::Advance(const EntryPtr& entry) {
  const bool running =
      entry->state == SearchState::kPending || entry->state == SearchState::kRunning;
  if (!running || entry->computing || entry->changing) return;
  const std::int64_t limit = std::int64_t{1000} * entry->run->spec().request.max_seconds;
  const std::int64_t start = entry->outcome.start_time_ms;
  if (limit > 0 && start > 0 && clock_() - start >= limit) entry->run->SetTimeIsUp();
  switch (entry->run->Next()) {
    case SearchRun::Step::kWait: return;
    case SearchRun::Step::kPropose: return Propose(entry, false);
    case SearchRun::Step::kReport: return Report(entry);
    case SearchRun::Step::kProposeFinal: return Propose(entry, true);
    case SearchRun::Step::kSucceed:
      entry->outcome.stop_reason = entry->run->StopReason();
      return End(entry, SearchState::kSucceeded, "");
    case SearchRun::Step::kFail:
      return End(
          entry, SearchState::kFailed,
          "every candidate of the first round failed; the first one: " + entry->run->FirstError());
  }
}

void SearchManager::Propose(const EntryPtr& entry, bool final) {
  entry->computing = true;
  compute_.Compute<Proposal>(
      loop_, final ? entry->run->ProposeFinalWork() : entry->run->ProposeWork(),
      [this, entry, final](const std::optional<Error>& error, const Proposal& proposal) {
        if (error) {
          entry->computing = false;
          End(entry, SearchState::kFailed, std::string("proposing failed: ") + error->what());
        } else if (HasEnded(entry->state)) {
          entry->computing = false;
        } else {
          CommitRound(entry, proposal, final);
        }
      });
}

void SearchManager::CommitRound(const EntryPtr& entry, const Proposal& proposal, bool final) {
  const std::string id = entry->record.id;
  const auto record =
      std::make_shared<const storage::Round>(entry->run->MakeRound(proposal, final));
  const auto cached = std::make_shared<std::vector<storage::CandidateResult>>();
  const std::int64_t now = clock_();
  const bool first = entry->outcome.start_time_ms == 0;
  if (first) entry->outcome.start_time_ms = now;
  const Outcome outcome = entry->outcome;
  const std::string what = final ? std::to_string(proposal.candidates.size()) +
                                       " members of the front go to the test split"
                                 : "round " + std::to_string(record->round) + ": " +
                                       std::to_string(proposal.candidates.size()) + " candidates";
  const auto proposed = NewEvent(id, "round_proposed", {what, static_cast<int>(record->round), -1});
  const auto started = NewEvent(id, "state", {"RUNNING"});
  Persist(
      [=](storage::Store& store) {
        cached->clear();
        store.InsertRound(*record);
        store.AppendEvent(proposed);
        if (first) StoreOutcome(store, id, now, outcome, started);
        std::vector<std::string> keys;
        for (const storage::Candidate& c : record->candidates) keys.push_back(c.evaluation_key);
        std::map<std::string, storage::Evaluation> known;
        for (auto& evaluation : store.GetEvaluations(keys)) known[evaluation.key] = evaluation;
        for (const storage::Candidate& c : record->candidates) {
          const auto hit = known.find(c.evaluation_key);
          if (hit == known.end()) continue;
          const storage::CandidateResult result{id,
                                                record->round,
                                                c.index,
                                                kResultCached,
                                                hit->second.metrics_json,
                                                "",
                                                hit->second.worker,
                                                now,
                                                0};
          store.RecordResult(result);
          store.AppendEvent(
              {id, 0, now, "evaluated",
               EventToJson({c.architecture_key + " was measured before",
                            static_cast<int>(record->round), static_cast<int>(c.index)})});
          cached->push_back(result);
        }
      },
      [=, this](const std::optional<Error>& error) {
        entry->computing = false;
        if (error) {
          End(entry, SearchState::kFailed, std::string("storing a round failed: ") + error->what());
          return;
        }
        if (entry->state == SearchState::kPending) entry->state = SearchState::kRunning;
        entry->run->AddRound(*record);
        for (const storage::CandidateResult& result : *cached) entry->run->SetResult(result);
        if (!HasEnded(entry->state)) {
          for (const storage::Candidate& c : record->candidates) {
            const TaskId task{id, static_cast<int>(record->round), static_cast<int>(c.index)};
            if (OrderOf(task)) workers_.Add(task);
          }
        }
        Poke(id);
        workers_.Dispatch(Now());
        Advance(entry);
      });
}

void SearchManager::Report(const EntryPtr& entry) {
  entry->computing = true;
  compute_.Compute<search::RoundReport>(
      loop_, entry->run->ReportWork(),
      [this, entry](const std::optional<Error>& error, const search::RoundReport& report) {
        if (error || HasEnded(entry->state)) {
          entry->computing = false;
          if (error) {
            End(entry, SearchState::kFailed,
                std::string("reporting on a round failed: ") + error->what());
          }
          return;
        }
        entry->outcome.report = report;
        entry->outcome.counts = CountsOf(*entry->run);
        const auto event =
            NewEvent(entry->record.id, "round_complete", {RoundMessage(report), report.round, -1});
        Persist(
            [id = entry->record.id, outcome = entry->outcome, event](storage::Store& store) {
              StoreOutcome(store, id, event.time_ms, outcome, event);
            },
            [=, this](const std::optional<Error>& failure) {
              entry->computing = false;
              if (failure) {
                End(entry, SearchState::kFailed,
                    std::string("storing a report failed: ") + failure->what());
                return;
              }
              entry->run->SetReport(report);
              Poke(entry->record.id);
              Advance(entry);
            });
      });
}

void SearchManager::End(const EntryPtr& entry, SearchState state, const std::string& error) {
  if (HasEnded(entry->state) || entry->changing) return;
  const std::string& why = error.empty() ? entry->outcome.stop_reason : error;
  ChangeState(entry, state, error, SearchStateName(state) + (why.empty() ? "" : ": " + why), true,
              [this, entry](const std::optional<Error>& failure) {
                if (failure) spdlog::error("search {}: {}", entry->record.id, failure->what());
              });
}

void SearchManager::ChangeState(const EntryPtr& entry, SearchState state, const std::string& error,
                                const std::string& message, bool persistently,
                                std::function<void(const std::optional<Error>&)> done) {
  entry->changing = true;
  const std::string id = entry->record.id;
  const std::int64_t now = clock_();
  Outcome outcome = entry->outcome;
  outcome.counts = CountsOf(*entry->run);
  storage::SearchUpdate update{id, SearchStateName(state), now, error, {}, OutcomeToJson(outcome)};
  if (HasEnded(state)) update.end_time_ms = now;
  const auto event = NewEvent(id, "state", {message});
  const auto write = [=](storage::Store& store) {
    store.UpdateSearchState(update);
    store.AppendEvent(event);
  };
  const auto finish = [=, this](const std::optional<Error>& failure) {
    entry->changing = false;
    if (!failure) {
      entry->state = state;
      entry->outcome.counts = outcome.counts;
      entry->record.error = error;
      if (HasEnded(state)) {
        entry->record.end_time_ms = now;
        workers_.RemoveSearch(id);
        Keep(entry);
        spdlog::info("search {} has ended: {}", id, message);
      } else {
        workers_.SetPaused(id, state == SearchState::kPaused);
      }
      Poke(id);
      workers_.Dispatch(Now());
    }
    done(failure);
    Advance(entry);
  };
  if (persistently) {
    Persist(write, finish);
  } else {
    store_.Submit(write, finish);
  }
}

std::optional<LeaseOrder> SearchManager::OrderOf(const TaskId& task) const {
  const auto found = entries_.find(task.search);
  if (found == entries_.end() || HasEnded(found->second->state)) return std::nullopt;
  const Trial* trial = found->second->run->Find(task.round, task.index);
  if (trial == nullptr || trial->state != Trial::State::kOpen) return std::nullopt;
  return found->second->run->OrderOf(task.round, task.index);
}

std::optional<WorkerNeeds> SearchManager::NeedsOf(const std::string& search) const {
  const auto found = entries_.find(search);
  if (found == entries_.end()) return std::nullopt;
  return NeedsOf(found->second->run->spec());
}

void SearchManager::OnMeasured(const TaskId& task, const WorkerResult& result,
                               const std::string& worker, std::function<void()> committed) {
  const Trial& trial = *entries_.at(task.search)->run->Find(task.round, task.index);
  RecordResult(task,
               {task.search, task.round, task.index, kResultDone,
                MeasuredToJson({result.metrics, result.stopped_after}), "", worker, 0,
                std::llround(result.seconds * 1000)},
               ResultMessage(trial, result), std::move(committed));
}

void SearchManager::OnGivenUp(const TaskId& task, const std::string& reason,
                              const std::string& worker, std::function<void()> committed) {
  const Trial& trial = *entries_.at(task.search)->run->Find(task.round, task.index);
  spdlog::error("search {}: {} failed: {}", task.search, trial.architecture_key, reason);
  RecordResult(task,
               {task.search, task.round, task.index, kResultFailed, "{}", reason, worker, 0, 0},
               trial.architecture_key + " failed: " + reason, std::move(committed));
}

void SearchManager::RecordResult(const TaskId& task, storage::CandidateResult result,
                                 const std::string& message, std::function<void()> committed) {
  const EntryPtr entry = entries_.at(task.search);
  const Trial& trial = *entry->run->Find(task.round, task.index);
  result.finish_time_ms = clock_();
  const auto event = NewEvent(task.search, "evaluated", {message, task.round, task.index});
  const storage::Evaluation evaluation{trial.evaluation_key, result.metrics_json,
                                       result.finish_time_ms, result.worker};
  Persist(
      [=](storage::Store& store) {
        store.RecordResult(result);
        if (result.state == kResultDone) store.PutEvaluation(evaluation);
        store.AppendEvent(event);
      },
      [=, this, committed = std::move(committed)](const std::optional<Error>& error) {
        // A search that was deleted meanwhile has no use for it; the worker has done its part.
        if (error) {
          spdlog::error("search {}: a result is lost: {}", task.search, error->what());
        } else {
          entry->run->SetResult(result);
        }
        committed();
        Poke(task.search);
        Advance(entry);
      });
}

void SearchManager::OnWorkersChanged() {
  for (const auto& [id, subscriber] : subscribers_) subscriber.poke(true);
}

}  // namespace oqat::server
