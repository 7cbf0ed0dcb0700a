// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/loop.h"
#include "server/model_catalog.h"
#include "server/records.h"
#include "server/search_run.h"
#include "server/views.h"
#include "server/worker_pool.h"
#include "storage/async_store.h"
#include "storage/store.h"

namespace oqat::server {

struct CreateSearchParams {
  std::string model;  ///< its name
  SearchSpec spec;
  std::string search_id;   ///< empty: one is made up
  std::string request_id;  ///< empty: none
};

/// All searches: makes them, carries them on, answers for them. Lives on the loop.
///
/// What is durable comes first: a round is committed before it is leased, a result before it is
/// acknowledged, a change of state before it is answered; memory follows the commit. So a killed
/// coordinator goes on from the database, and recomputes nothing. A write that fails for a reason
/// that may pass (a full disk) is repeated every second, and meanwhile nothing is leased.
class SearchManager : public TaskOwner {
 public:
  /// All references must outlive the object. `compute` runs proposals, `files` everything short.
  SearchManager(Loop& loop, Pool& compute, Pool& files, storage::AsyncStore& store,
                ModelCatalog& models, Clock clock, WorkerPoolOptions workers);

  /// Takes up every search that had not ended. Before the first call, not on the loop.
  void Recover(storage::Store& store);
  /// Carries on what Recover found.
  void Start();

  WorkerPool& workers() { return workers_; }

  // Commands. Errors: those of the design, with canonical codes.
  void Create(const CreateSearchParams& params, Callback<SearchView> done);
  void Pause(const std::string& id, Callback<SearchView> done);
  void Resume(const std::string& id, Callback<SearchView> done);
  void Cancel(const std::string& id, Callback<SearchView> done);
  void Delete(const std::string& id, Callback<bool> done);

  // Questions.
  void Get(const std::string& id, Callback<SearchView> done);
  void List(const storage::SearchCursor& after, std::int64_t limit,
            Callback<std::vector<SearchView>> done);
  void Front(const std::string& id, Callback<FrontView> done);
  /// Candidates after (round, index), in order.
  void Trials(const std::string& id, std::pair<int, int> after, std::size_t limit,
              Callback<std::vector<TrialView>> done);
  /// Stored events after a sequence number, in order.
  void Events(const std::string& id, std::int64_t after, std::int64_t limit,
              Callback<std::vector<EventView>> done);
  /// A snapshot of how many workers there are.
  EventView WorkersEvent(const std::string& id) const;

  /// Calls `poke` (on the loop) whenever the search has new events, or with true when workers came
  /// or went. Until Unsubscribe.
  std::uint64_t Subscribe(const std::string& id, std::function<void(bool workers)> poke);
  void Unsubscribe(std::uint64_t subscription);

  /// Searches of a model that have not ended: while there are any it cannot be deleted.
  std::vector<std::string> ActiveSearchesOf(const std::string& model) const;

  // TaskOwner.
  std::optional<LeaseOrder> OrderOf(const TaskId& task) const override;
  std::optional<WorkerNeeds> NeedsOf(const std::string& search) const override;
  static WorkerNeeds NeedsOf(const SearchSpec& spec) {
    return {spec.measurement.engine, spec.measurement.cpu};
  }
  void OnMeasured(const TaskId& task, const WorkerResult& result, const std::string& worker,
                  std::function<void()> committed) override;
  void OnGivenUp(const TaskId& task, const std::string& reason, const std::string& worker,
                 std::function<void()> committed) override;
  void OnWorkersChanged() override;

 private:
  struct Entry {
    storage::Search record;
    SearchState state = SearchState::kPending;
    Outcome outcome;
    std::unique_ptr<SearchRun> run;
    bool computing = false;  // a proposal or report, from its start to its commit
    bool changing = false;   // a change of state that is not committed yet
    std::uint64_t last_use = 0;
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Done = storage::AsyncStore::Done;

  // search_steps.cc: carrying on.
  void Advance(const EntryPtr& entry);
  void Propose(const EntryPtr& entry, bool final);
  void CommitRound(const EntryPtr& entry, const Proposal& proposal, bool final);
  void Report(const EntryPtr& entry);
  void RecordResult(const TaskId& task, storage::CandidateResult result, const std::string& message,
                    std::function<void()> committed);
  void End(const EntryPtr& entry, SearchState state, const std::string& error);
  void ChangeState(const EntryPtr& entry, SearchState state, const std::string& error,
                   const std::string& message, bool persistently,
                   std::function<void(const std::optional<Error>&)> done);
  void Persist(storage::AsyncStore::Operation operation, Done done);
  storage::Event NewEvent(const std::string& id, const std::string& type,
                          const EventPayload& payload) const;

  // search_manager.cc: commands.
  using Allowed = std::function<bool(SearchState)>;
  void Command(const std::string& id, const char* verb, SearchState target, const Allowed& from,
               Callback<SearchView> done);
  void Insert(const CreateSearchParams& params, const std::shared_ptr<const ServedModel>& model,
              Callback<SearchView> done);

  // search_queries.cc.
  void WithEntry(const std::string& id, Callback<EntryPtr> done);
  static EntryPtr ReadEntry(storage::Store& store, const storage::Search& record);
  void Keep(const EntryPtr& entry);
  SearchView ViewOf(const Entry& entry) const;
  std::string WaitingNote(const SearchSpec& spec) const;
  TrialView TrialOf(const Entry& entry, int round, int index) const;
  void Poke(const std::string& id);

  Loop& loop_;
  Pool& compute_;
  Pool& files_;
  storage::AsyncStore& store_;
  ModelCatalog& models_;
  const Clock clock_;
  WorkerPool workers_;

  std::map<std::string, EntryPtr> entries_;  // all active searches, some ended ones
  std::multiset<std::string> creating_;      // models of searches not inserted yet
  struct Subscriber {
    std::string search;
    std::function<void(bool)> poke;
  };
  std::map<std::uint64_t, Subscriber> subscribers_;
  std::uint64_t next_subscription_ = 1;
  std::uint64_t uses_ = 0;
  int retrying_ = 0;  // writes waiting to be repeated
  std::string storage_trouble_;
};

}  // namespace oqat::server
