// SPDX-License-Identifier: Apache-2.0
// What the manager tells of searches.
#include <limits>
#include <utility>

#include "server/search_manager.h"

namespace oqat::server {
namespace {

// Ended searches that are kept in memory after somebody asked for their evaluations.
constexpr std::size_t kEndedKept = 16;

Error NoSuchSearch(const std::string& id) {
  return Error(Code::kNotFound, "name: there is no search searches/" + id);
}

}  // namespace

SearchManager::EntryPtr SearchManager::ReadEntry(storage::Store& store,
                                                 const storage::Search& record) {
  auto entry = std::make_shared<Entry>();
  entry->record = record;
  entry->state = SearchStateFromName(record.state);
  entry->outcome = OutcomeFromJson(record.outcome_json);
  entry->run = std::make_unique<SearchRun>(
      record.id, SpecFromRecord(record.request_json),
      std::make_shared<const ServedModel>(ModelFromRecord(record.request_json)));
  for (const storage::Round& round : store.ListRounds(record.id)) entry->run->AddRound(round);
  for (const storage::CandidateResult& result : store.ListResults(record.id)) {
    entry->run->SetResult(result);
  }
  if (entry->outcome.report) entry->run->SetReport(*entry->outcome.report);
  return entry;
}

void SearchManager::Keep(const EntryPtr& entry) {
  entry->last_use = ++uses_;
  entries_[entry->record.id] = entry;
  std::size_t ended = 0;
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (!HasEnded(it->second->state)) continue;
    ++ended;
    if (oldest == entries_.end() || it->second->last_use < oldest->second->last_use) oldest = it;
  }
  if (ended > kEndedKept) entries_.erase(oldest);
}

void SearchManager::WithEntry(const std::string& id, Callback<EntryPtr> done) {
  if (const auto found = entries_.find(id); found != entries_.end()) {
    const EntryPtr entry = found->second;
    if (HasEnded(entry->state)) Keep(entry);
    return done({}, entry);
  }
  store_.Call<EntryPtr>(
      [id](storage::Store& store) -> EntryPtr {
        const auto record = store.GetSearch(id);
        return record ? ReadEntry(store, *record) : nullptr;
      },
      [this, id, done](const std::optional<Error>& error, const EntryPtr& entry) {
        if (error) return done(error, nullptr);
        if (!entry) return done(NoSuchSearch(id), nullptr);
        // It may have been made, or read by another call, while this one waited.
        if (!entries_.contains(id) && HasEnded(entry->state)) Keep(entry);
        const auto kept = entries_.find(id);
        done({}, kept == entries_.end() ? entry : kept->second);
      });
}

SearchView SearchManager::ViewOf(const Entry& entry) const {
  SearchView view;
  view.id = entry.record.id;
  view.model = entry.record.model_name;
  view.model_content_id = entry.record.model_content_id;
  view.spec = entry.run->spec();
  view.state = entry.state;
  view.error = entry.record.error;
  view.create_time_ms = entry.record.create_time_ms;
  view.start_time_ms = entry.outcome.start_time_ms;
  view.end_time_ms = entry.record.end_time_ms;
  view.counts = CountsOf(*entry.run);
  view.report = entry.outcome.report;
  view.in_flight = workers_.InFlight(view.id);
  view.connected_workers = workers_.connected(NeedsOf(view.spec));
  if (HasEnded(view.state)) {
    view.note = entry.outcome.stop_reason;
    return view;
  }
  if (!storage_trouble_.empty()) {
    view.note = "results cannot be stored, trying again: " + storage_trouble_;
  } else if (view.state == SearchState::kPaused) {
    view.note = "paused";
  } else if (view.connected_workers == 0) {
    view.note = WaitingNote(view.spec);
  }
  return view;
}

TrialView SearchManager::TrialOf(const Entry& entry, int round, int index) const {
  TrialView view{entry.record.id, round, index, false, *entry.run->Find(round, index), {}, {}};
  view.leased = workers_.IsLeased({view.search, round, index});
  if (view.trial.metrics.contains(space::Metric::kLatencyMs)) {
    view.cpu = entry.run->spec().measurement.cpu;
  }
  if (round == search::kWarmRound || !entry.run->rounds()[static_cast<std::size_t>(round)].final) {
    view.test_metrics = entry.run->TestMetrics(view.trial.architecture_key);
  }
  return view;
}

void SearchManager::Get(const std::string& id, Callback<SearchView> done) {
  WithEntry(id, [this, done](const std::optional<Error>& error, const EntryPtr& entry) {
    done(error, error ? SearchView{} : ViewOf(*entry));
  });
}

void SearchManager::List(const storage::SearchCursor& after, std::int64_t limit,
                         Callback<std::vector<SearchView>> done) {
  using Records = std::vector<storage::Search>;
  store_.Call<Records>(
      [after, limit](storage::Store& store) { return store.ListSearches({}, after, limit); },
      [this, done](const std::optional<Error>& error, const Records& records) {
        if (error) return done(error, {});
        std::vector<SearchView> views;
        try {
          for (const storage::Search& record : records) {
            const auto known = entries_.find(record.id);
            if (known != entries_.end()) {
              views.push_back(ViewOf(*known->second));
              continue;
            }
            // It has ended: what it left in its record is all that a list tells.
            Entry entry;
            entry.record = record;
            entry.state = SearchStateFromName(record.state);
            entry.outcome = OutcomeFromJson(record.outcome_json);
            entry.run = std::make_unique<SearchRun>(
                record.id, SpecFromRecord(record.request_json),
                std::make_shared<const ServedModel>(ModelFromRecord(record.request_json)));
            views.push_back(ViewOf(entry));
            views.back().counts = entry.outcome.counts;
          }
        } catch (const Error& bad) {
          return done(bad, {});
        }
        done({}, std::move(views));
      });
}

void SearchManager::Front(const std::string& id, Callback<FrontView> done) {
  WithEntry(id, [this, done](const std::optional<Error>& error, const EntryPtr& entry) {
    if (error) return done(error, {});
    using Result = std::pair<std::vector<search::Measured>, double>;
    const auto work = [front = entry->run->FrontWork(), space = entry->run->space(),
                       request = entry->run->spec().request] {
      Result result;
      result.first = front();
      result.second = search::FrontHypervolume(space, request, result.first);
      return result;
    };
    files_.Compute<Result>(
        loop_, work,
        [this, entry, done](const std::optional<Error>& failure, const Result& result) {
          if (failure) return done(failure, {});
          FrontView view;
          view.search = entry->record.id;
          view.objectives = entry->run->spec().request.objectives;
          view.hypervolume = result.second;
          view.final = entry->state == SearchState::kSucceeded;
          for (const search::Measured& member : result.first) {
            view.members.push_back(TrialOf(*entry, member.round, member.index));
          }
          done({}, std::move(view));
        });
  });
}

void SearchManager::Trials(const std::string& id, std::pair<int, int> after, std::size_t limit,
                           Callback<std::vector<TrialView>> done) {
  WithEntry(id, [=, this](const std::optional<Error>& error, const EntryPtr& entry) {
    if (error) return done(error, {});
    std::vector<TrialView> views;
    const auto& rounds = entry->run->rounds();
    for (int r = std::max(after.first, search::kWarmRound); r < static_cast<int>(rounds.size());
         ++r) {
      const SearchRun::Round& round =
          r == search::kWarmRound ? entry->run->warm() : rounds[static_cast<std::size_t>(r)];
      const int count = static_cast<int>(round.trials.size());
      for (int i = r == after.first ? after.second + 1 : 0; i < count && views.size() < limit;
           ++i) {
        views.push_back(TrialOf(*entry, r, i));
      }
    }
    done({}, std::move(views));
  });
}

void SearchManager::Events(const std::string& id, std::int64_t after, std::int64_t limit,
                           Callback<std::vector<EventView>> done) {
  WithEntry(id, [=, this](const std::optional<Error>& error, const EntryPtr& entry) {
    if (error) return done(error, {});
    using Records = std::vector<storage::Event>;
    store_.Call<Records>(
        [=](storage::Store& store) { return store.ListEvents(id, after, limit); },
        [=, this](const std::optional<Error>& failure, const Records& records) {
          if (failure) return done(failure, {});
          std::vector<EventView> views;
          try {
            for (const storage::Event& record : records) {
              const EventPayload payload = EventFromJson(record.payload_json);
              EventView view{record.sequence, record.time_ms, record.type, payload.message, {}};
              if (entry->run->Find(payload.round, payload.index) != nullptr) {
                view.trial = TrialOf(*entry, payload.round, payload.index);
              }
              views.push_back(std::move(view));
            }
          } catch (const Error& bad) {
            return done(bad, {});
          }
          done({}, std::move(views));
        });
  });
}

std::string SearchManager::WaitingNote(const SearchSpec& spec) const {
  const std::string waiting = "waiting for workers: none ";
  if (workers_.connected() == 0) return waiting + "is connected";
  const WorkerNeeds needs = NeedsOf(spec);
  return waiting + "of " + std::to_string(workers_.connected()) + " has engine " + needs.engine +
         (needs.cpu.empty() ? "" : " and processor " + needs.cpu);
}

EventView SearchManager::WorkersEvent(const std::string& id) const {
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return {0, clock_(), "workers", "", {}};
  const SearchSpec& spec = entry->second->run->spec();
  const int count = workers_.connected(NeedsOf(spec));
  return {0,
          clock_(),
          "workers",
          count == 0 ? WaitingNote(spec)
                     : std::to_string(count) + (count == 1 ? " worker" : " workers") + " connected",
          {}};
}

}  // namespace oqat::server
