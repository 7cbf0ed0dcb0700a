// SPDX-License-Identifier: Apache-2.0
#include "server/lease_table.h"

#include <algorithm>

namespace oqat::server {

void LeaseTable::Add(const TaskId& task) {
  queues_[task.search].waiting.emplace(task.round, task.index);
}

std::vector<LeaseTable::Lease> LeaseTable::RemoveSearch(const std::string& search) {
  std::vector<Lease> out;
  for (auto it = leases_.begin(); it != leases_.end();) {
    if (it->first.search == search) {
      out.push_back(it->second);
      it = leases_.erase(it);
    } else {
      ++it;
    }
  }
  std::erase_if(strikes_, [&](const auto& entry) { return entry.first.search == search; });
  queues_.erase(search);
  return out;
}

void LeaseTable::SetPaused(const std::string& search, bool paused) {
  queues_[search].paused = paused;
}

bool LeaseTable::MayTry(const TaskId& task, const std::string& worker,
                        const std::set<std::string>& peers) const {
  const auto found = strikes_.find(task);
  if (found == strikes_.end() || !found->second.workers.contains(worker)) return true;
  return std::none_of(peers.begin(), peers.end(), [&](const std::string& other) {
    return !found->second.workers.contains(other);
  });
}

std::optional<LeaseTable::Lease> LeaseTable::Grant(SessionId session, const std::string& worker,
                                                   const Peers& peers_of, Time deadline) {
  auto it = queues_.upper_bound(last_search_);
  for (std::size_t turn = 0; turn < queues_.size(); ++turn) {
    if (it == queues_.end()) it = queues_.begin();
    auto& [search, queue] = *it++;
    if (queue.paused || queue.waiting.empty()) continue;
    const std::set<std::string>* const peers = peers_of(search);
    if (peers == nullptr) continue;
    for (const auto& [round, index] : queue.waiting) {
      const TaskId task{search, round, index};
      if (!MayTry(task, worker, *peers)) continue;
      queue.waiting.erase({round, index});
      ++queue.leased;
      last_search_ = search;
      return leases_[task] = Lease{task, next_attempt_++, session, deadline};
    }
  }
  return std::nullopt;
}

bool LeaseTable::Adopt(SessionId session, const std::string& worker, const TaskId& task,
                       std::int64_t attempt, Time deadline) {
  const auto queue = queues_.find(task.search);
  if (queue == queues_.end() || queue->second.waiting.erase({task.round, task.index}) == 0) {
    return false;
  }
  ++queue->second.leased;
  leases_[task] = Lease{task, attempt, session, deadline};
  const auto strikes = strikes_.find(task);
  if (strikes != strikes_.end() && strikes->second.last_worker == worker &&
      strikes->second.last_attempt == attempt) {
    if (--strikes->second.count <= 0) {
      strikes_.erase(strikes);
    } else {
      strikes->second.workers.erase(worker);
      strikes->second.last_attempt = 0;
    }
  }
  return true;
}

std::map<TaskId, LeaseTable::Lease>::iterator LeaseTable::Find(SessionId session,
                                                               const TaskId& task,
                                                               std::int64_t attempt) {
  const auto found = leases_.find(task);
  const bool current = found != leases_.end() && found->second.attempt == attempt &&
                       found->second.session == session;
  return current ? found : leases_.end();
}

bool LeaseTable::Renew(SessionId session, const TaskId& task, std::int64_t attempt, Time deadline) {
  const auto found = Find(session, task, attempt);
  if (found == leases_.end()) return false;
  found->second.deadline = deadline;
  return true;
}

bool LeaseTable::Settle(SessionId session, const TaskId& task, std::int64_t attempt) {
  const auto found = Find(session, task, attempt);
  if (found == leases_.end()) return false;
  leases_.erase(found);
  --queues_[task.search].leased;
  strikes_.erase(task);
  return true;
}

std::optional<int> LeaseTable::Return(SessionId session, const std::string& worker,
                                      const TaskId& task, std::int64_t attempt, bool strike) {
  const auto found = Find(session, task, attempt);
  if (found == leases_.end()) return std::nullopt;
  leases_.erase(found);
  Queue& queue = queues_[task.search];
  --queue.leased;
  queue.waiting.emplace(task.round, task.index);
  if (strike) {
    Strikes& strikes = strikes_[task];
    ++strikes.count;
    strikes.workers.insert(worker);
    strikes.last_worker = worker;
    strikes.last_attempt = attempt;
  }
  const auto strikes = strikes_.find(task);
  return strikes == strikes_.end() ? 0 : strikes->second.count;
}

void LeaseTable::Drop(const TaskId& task) {
  const auto queue = queues_.find(task.search);
  if (queue != queues_.end()) queue->second.waiting.erase({task.round, task.index});
  strikes_.erase(task);
}

std::vector<LeaseTable::Lease> LeaseTable::Expired(Time now) const {
  std::vector<Lease> out;
  for (const auto& [task, lease] : leases_) {
    if (lease.deadline <= now) out.push_back(lease);
  }
  return out;
}

std::vector<LeaseTable::Lease> LeaseTable::HeldBy(SessionId session) const {
  std::vector<Lease> out;
  for (const auto& [task, lease] : leases_) {
    if (lease.session == session) out.push_back(lease);
  }
  std::sort(out.begin(), out.end(),
            [](const Lease& a, const Lease& b) { return a.attempt < b.attempt; });
  return out;
}

int LeaseTable::InFlight(const std::string& search) const {
  const auto found = queues_.find(search);
  return found == queues_.end() ? 0 : found->second.leased;
}

}  // namespace oqat::server
