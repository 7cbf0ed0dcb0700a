// SPDX-License-Identifier: Apache-2.0
#include "server/search_manager.h"

#include <spdlog/spdlog.h>

#include <ctime>
#include <utility>

#include "base/hash.h"
#include "rpc/names.h"
#include "server/warm_start.h"

namespace oqat::server {
namespace {

// Sorts by time and is short enough to type: 20261124-073000-1f2e07. The last part keeps searches
// of one second apart.
std::string MakeId(std::int64_t now_ms, std::uint64_t count) {
  const std::time_t seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[40];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S-", &utc);
  return text + Sha256Hex(std::to_string(now_ms) + " " + std::to_string(count)).substr(0, 6);
}

// The request names its processor from the beginning, lest its result depend on which worker comes
// first.
std::string OnlyCpuOf(const std::vector<std::string>& cpus) {
  if (cpus.size() == 1) return cpus.front();
  std::string names;
  for (const std::string& cpu : cpus) names += (names.empty() ? "" : "; ") + cpu;
  throw InvalidField("cpu", "nothing",
                     "the processor that latency_ms is to be measured on: " +
                         (names.empty() ? "no connected worker names one" : names));
}

}  // namespace

SearchManager::SearchManager(Loop& loop, Pool& compute, Pool& files, storage::AsyncStore& store,
                             ModelCatalog& models, Clock clock, WorkerPoolOptions workers)
    : loop_(loop),
      compute_(compute),
      files_(files),
      store_(store),
      models_(models),
      clock_(std::move(clock)),
      workers_(std::move(workers), *this) {}

void SearchManager::Recover(storage::Store& store) {
  const std::vector<std::string> active = {SearchStateName(SearchState::kPending),
                                           SearchStateName(SearchState::kRunning),
                                           SearchStateName(SearchState::kPaused)};
  for (const storage::Search& record : store.ListSearches(active, {}, storage::Store::kNoLimit)) {
    const EntryPtr entry = ReadEntry(store, record);
    const std::string& id = record.id;
    entries_[id] = entry;
    workers_.SetPaused(id, entry->state == SearchState::kPaused);
    const auto& rounds = entry->run->rounds();
    for (int r = 0; r < static_cast<int>(rounds.size()); ++r) {
      const auto& trials = rounds[static_cast<std::size_t>(r)].trials;
      for (int i = 0; i < static_cast<int>(trials.size()); ++i) {
        if (OrderOf({id, r, i})) workers_.Add({id, r, i});
      }
    }
    spdlog::info("search {} goes on: {} of {} evaluations are there", id, entry->run->done(),
                 entry->run->spec().request.evaluations);
  }
}

void SearchManager::Start() {
  const auto entries = entries_;
  for (const auto& [id, entry] : entries) Advance(entry);
}

void SearchManager::Create(const CreateSearchParams& params, Callback<SearchView> done) {
  if (params.request_id.size() > 200) {
    throw InvalidField("request_id", "a longer text", "at most 200 characters");
  }
  if (!params.search_id.empty()) rpc::CheckId(params.search_id, "search_id");
  const auto check = [this, given = params, done] {
    try {
      CreateSearchParams params = given;
      const std::shared_ptr<const ServedModel> model = models_.Get(params.model, "model");
      if (params.spec.measures_latency() && params.spec.measurement.cpu.empty()) {
        params.spec.measurement.cpu = OnlyCpuOf(workers_.CpusOf(params.spec.measurement.engine));
      }
      creating_.insert(params.model);
      files_.Compute<bool>(
          loop_, [model, spec = params.spec] { return CheckSpec(*model, spec), true; },
          [this, params, model, done](const std::optional<Error>& error, bool) {
            if (error) {
              creating_.erase(creating_.find(params.model));
              done(error, {});
            } else {
              Insert(params, model, done);
            }
          });
    } catch (const Error& error) {
      done(error, {});
    }
  };
  if (params.request_id.empty()) return check();
  // What was asked before is answered as before, even if the model is gone meanwhile.
  store_.Call<std::optional<storage::Search>>(
      [id = params.request_id](storage::Store& store) { return store.GetSearchByRequestId(id); },
      [this, check, done](const std::optional<Error>& error,
                          const std::optional<storage::Search>& found) {
        if (error) return done(error, {});
        if (found) return Get(found->id, done);
        check();
      });
}

void SearchManager::Insert(const CreateSearchParams& params,
                           const std::shared_ptr<const ServedModel>& model,
                           Callback<SearchView> done) {
  const std::int64_t now = clock_();
  const auto entry = std::make_shared<Entry>();
  storage::Search& record = entry->record;
  record.id = params.search_id.empty() ? MakeId(now, ++uses_) : params.search_id;
  record.request_id = params.request_id;
  record.model_name = params.model;
  record.model_content_id = model->content_id;
  record.request_json = RequestRecord(params.spec, *model);
  record.state = SearchStateName(entry->state);
  record.create_time_ms = record.update_time_ms = now;
  record.outcome_json = OutcomeToJson({});
  entry->run = std::make_unique<SearchRun>(record.id, params.spec, model);
  const auto event = NewEvent(record.id, "created", {"created for model " + params.model});
  const auto warm = std::make_shared<WarmStart>();
  // The id of the search: this one's, or that of a twin with the same request id.
  store_.Call<std::string>(
      [record, event, warm, run = entry->run.get()](storage::Store& store) {
        if (const auto twin = store.GetSearchByRequestId(record.request_id)) return twin->id;
        store.InsertSearch(record);
        store.AppendEvent(event);
        *warm = {};
        if (!run->spec().request.warm_start.empty()) {
          *warm = ReadWarmStart(store, *run);
          store.InsertRound(warm->round);
          for (const auto& result : warm->results) store.RecordResult(result);
        }
        return record.id;
      },
      [this, entry, done, warm, model_name = params.model](const std::optional<Error>& error,
                                                           const std::string& id) {
        creating_.erase(creating_.find(model_name));
        if (error) return done(error, {});
        if (id != entry->record.id || entries_.contains(id)) return Get(id, done);
        if (!warm->results.empty()) entry->run->AddRound(warm->round);
        for (const auto& result : warm->results) entry->run->SetResult(result);
        entries_[id] = entry;
        spdlog::info("search {} created: model {}, {} evaluations, {}", id, model_name,
                     entry->run->spec().request.evaluations, entry->run->spec().request.strategy);
        Advance(entry);
        done({}, ViewOf(*entry));
      });
}

void SearchManager::Command(const std::string& id, const char* verb, SearchState target,
                            const Allowed& from, Callback<SearchView> done) {
  WithEntry(id, [=, this](const std::optional<Error>& error, const EntryPtr& entry) {
    if (error) return done(error, {});
    if (entry->changing) {  // another command is being committed: wait for what comes of it
      loop_.After(std::chrono::milliseconds(2),
                  [=, this] { Command(id, verb, target, from, done); });
      return;
    }
    if (entry->state == target) return done({}, ViewOf(*entry));
    if (!from(entry->state)) {
      return done(
          Error(Code::kFailedPrecondition,
                "search " + id + " is " + SearchStateName(entry->state) + " and cannot be " + verb),
          {});
    }
    ChangeState(entry, target, "", SearchStateName(target), false,
                [=, this](const std::optional<Error>& failure) {
                  done(failure, failure ? SearchView{} : ViewOf(*entry));
                });
  });
}

void SearchManager::Pause(const std::string& id, Callback<SearchView> done) {
  Command(
      id, "paused", SearchState::kPaused, [](SearchState state) { return !HasEnded(state); },
      std::move(done));
}

void SearchManager::Resume(const std::string& id, Callback<SearchView> done) {
  Command(
      id, "resumed", SearchState::kRunning, [](SearchState state) { return !HasEnded(state); },
      std::move(done));
}

void SearchManager::Cancel(const std::string& id, Callback<SearchView> done) {
  Command(
      id, "cancelled", SearchState::kCancelled, [](SearchState state) { return !HasEnded(state); },
      std::move(done));
}

void SearchManager::Delete(const std::string& id, Callback<bool> done) {
  WithEntry(id, [this, id, done](const std::optional<Error>& error, const EntryPtr& entry) {
    if (error) return done(error, false);
    if (!HasEnded(entry->state)) {
      return done(
          Error(Code::kFailedPrecondition, "search " + id + " is " + SearchStateName(entry->state) +
                                               "; cancel it before it is deleted"),
          false);
    }
    store_.Submit([id](storage::Store& store) { store.DeleteSearch(id); },
                  [this, id, done](const std::optional<Error>& failure) {
                    if (!failure) {
                      entries_.erase(id);
                      Poke(id);
                    }
                    done(failure, !failure);
                  });
  });
}

std::vector<std::string> SearchManager::ActiveSearchesOf(const std::string& model) const {
  std::vector<std::string> active;
  for (const auto& [id, entry] : entries_) {
    if (entry->record.model_name == model && !HasEnded(entry->state)) active.push_back(id);
  }
  if (creating_.contains(model)) active.emplace_back("one that is being created");
  return active;
}

std::uint64_t SearchManager::Subscribe(const std::string& id,
                                       std::function<void(bool workers)> poke) {
  subscribers_[next_subscription_] = {id, std::move(poke)};
  return next_subscription_++;
}

void SearchManager::Unsubscribe(std::uint64_t subscription) { subscribers_.erase(subscription); }

void SearchManager::Poke(const std::string& id) {
  for (const auto& [subscription, subscriber] : subscribers_) {
    if (subscriber.search == id) subscriber.poke(false);
  }
}

}  // namespace oqat::server
