// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace oqat::server {

/// One candidate of one search.
struct TaskId {
  std::string search;
  int round = 0;
  int index = 0;

  auto operator<=>(const TaskId&) const = default;
};

/// A connection of a worker; never used twice in the life of a coordinator.
using SessionId = std::uint64_t;

/// Who measures what: the candidates that wait, and the leases that are out. Pure bookkeeping:
/// no threads, no clock, no messages.
///
/// A lease is (task, attempt). Attempt numbers grow over all tasks and over restarts of the
/// coordinator (fencing): only the newest lease of a task can settle it.
class LeaseTable {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Lease {
    TaskId task;
    std::int64_t attempt = 0;
    SessionId session = 0;
    Time deadline;
  };

  /// `first_attempt`: above every attempt of earlier lives.
  explicit LeaseTable(std::int64_t first_attempt) : next_attempt_(first_attempt) {}

  /// Queues a candidate. It must be neither queued nor leased.
  void Add(const TaskId& task);

  /// Forgets the search's candidates; returns the leases that were out.
  std::vector<Lease> RemoveSearch(const std::string& search);

  /// While paused, nothing of the search is granted; leases that are out go on.
  void SetPaused(const std::string& search, bool paused);

  /// The connected workers that may measure for a search, the asking one among them; null if that
  /// one may not.
  using Peers = std::function<const std::set<std::string>*(const std::string& search)>;

  /// Leases the next candidate to a worker: searches take turns, each in order of (round, index).
  /// A candidate that this worker failed is kept for one of its peers that did not.
  std::optional<Lease> Grant(SessionId session, const std::string& worker, const Peers& peers_of,
                             Time deadline);

  /// A worker that comes back keeps a lease if nobody else got the candidate meanwhile; a strike
  /// that its lost connection gave is taken back.
  bool Adopt(SessionId session, const std::string& worker, const TaskId& task, std::int64_t attempt,
             Time deadline);

  /// Moves the deadline of a lease that this session holds; false if it does not.
  bool Renew(SessionId session, const TaskId& task, std::int64_t attempt, Time deadline);

  /// The candidate is measured: true, and it is forgotten, if this is its current lease.
  bool Settle(SessionId session, const TaskId& task, std::int64_t attempt);

  /// Puts a leased candidate back to the front. Returns the strikes it has now, this one included
  /// if `strike`; nothing if it is not this session's current lease.
  std::optional<int> Return(SessionId session, const std::string& worker, const TaskId& task,
                            std::int64_t attempt, bool strike);

  /// Takes a queued candidate out for good.
  void Drop(const TaskId& task);

  std::vector<Lease> Expired(Time now) const;
  std::vector<Lease> HeldBy(SessionId session) const;  ///< in the order they were granted
  int InFlight(const std::string& search) const;       ///< leases out
  bool Leased(const TaskId& task) const { return leases_.contains(task); }

 private:
  struct Strikes {
    int count = 0;
    std::set<std::string> workers;
    std::string last_worker;
    std::int64_t last_attempt = 0;
  };
  struct Queue {
    std::set<std::pair<int, int>> waiting;  // (round, index)
    bool paused = false;
    int leased = 0;
  };

  bool MayTry(const TaskId& task, const std::string& worker,
              const std::set<std::string>& peers) const;
  std::map<TaskId, Lease>::iterator Find(SessionId session, const TaskId& task,
                                         std::int64_t attempt);

  std::int64_t next_attempt_;
  std::map<std::string, Queue> queues_;  // by search
  std::map<TaskId, Lease> leases_;
  std::map<TaskId, Strikes> strikes_;  // of candidates that have any
  std::string last_search_;            // whose turn it was
};

}  // namespace oqat::server
