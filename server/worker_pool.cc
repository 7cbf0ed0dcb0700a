// SPDX-License-Identifier: Apache-2.0
#include "server/worker_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "rpc/names.h"
#include "space/measurement.h"

namespace oqat::server {
namespace {

// So much of the evaluation key in a lease's name that a lease of an earlier search of the same
// name is told apart.
constexpr std::size_t kKeyDigits = 16;

// These go into logs and tables as they are.
void CheckText(const char* field, const std::string& text, bool required) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c != 0x7f && !(static_cast<unsigned char>(c) < 0x20);
  });
  if (!plain || text.size() > WorkerPool::kMaxText || (required && text.empty())) {
    throw InvalidField(field, text.empty() ? "an empty text" : "another text",
                       std::string(required ? "1" : "0") + " to " +
                           std::to_string(WorkerPool::kMaxText) +
                           " bytes without control characters");
  }
}

void CheckHello(const WorkerHello& hello) {
  CheckText("hello.worker_id", hello.worker_id, true);
  space::CheckEngine(hello.engine, "hello.engine");
  CheckText("hello.cpu", hello.cpu, false);
  CheckText("hello.version", hello.version, false);
  CheckText("hello.host", hello.host, false);
  if (hello.slots < 1 || hello.slots > WorkerPool::kMaxSlots) {
    throw InvalidField("hello.slots", std::to_string(hello.slots),
                       "1 to " + std::to_string(WorkerPool::kMaxSlots));
  }
}

bool IsLatency(space::Metric metric) {
  return metric == space::Metric::kLatencyMs || metric == space::Metric::kLatencySpreadMs;
}

// Empty if the result is what an evaluation must report.
std::string Complaint(const LeaseOrder& order, const WorkerResult& result) {
  const auto& [metrics, seconds, stopped_after] = result;
  const auto top1 = metrics.find(space::Metric::kTop1);
  if (top1 == metrics.end() || !(top1->second >= 0 && top1->second <= 1)) {
    return "metrics.top1: is missing or not within 0 to 1";
  }
  const auto loss = metrics.find(space::Metric::kLoss);
  if (loss == metrics.end() || !std::isfinite(loss->second)) {
    return "metrics.loss: is missing or not finite";
  }
  for (const auto& [metric, value] : metrics) {
    if (space::IsCost(metric)) {
      return "metrics." + std::string(space::MetricName(metric)) + ": costs are not measured";
    }
    if (!std::isfinite(value)) {
      return "metrics." + std::string(space::MetricName(metric)) + ": is not finite";
    }
    if (IsLatency(metric) && (!order.latency || value < 0)) {
      return "metrics." + std::string(space::MetricName(metric)) +
             (order.latency ? ": is negative" : ": was not asked for");
    }
  }
  if (order.latency && stopped_after == 0 && !metrics.contains(space::Metric::kLatencyMs)) {
    return "metrics.latency_ms: is missing";
  }
  if (stopped_after < 0 || (stopped_after > 0 && !order.stop_below)) {
    return "stopped_after: is negative, or the lease did not allow to stop";
  }
  if (!(seconds >= 0) || !std::isfinite(seconds)) return "seconds: is negative or not finite";
  return "";
}

}  // namespace

WorkerPool::WorkerPool(WorkerPoolOptions options, TaskOwner& owner)
    : options_(std::move(options)), owner_(owner), leases_(options_.first_attempt) {}

std::string WorkerPool::NameOf(const TaskId& task) const {
  const std::optional<LeaseOrder> order = owner_.OrderOf(task);
  return rpc::EvaluationNameText({task.search, task.round, task.index}) + "@" +
         (order ? order->evaluation_key.substr(0, kKeyDigits) : "");
}

std::optional<TaskId> WorkerPool::TaskOf(const std::string& lease) const {
  try {
    const auto name = rpc::ParseEvaluationName(lease.substr(0, lease.find('@')), "lease");
    TaskId task{name.search, name.round, name.index};
    if (owner_.OrderOf(task) && NameOf(task) == lease) return task;
  } catch (const Error&) {
    // Not ours: the caller treats it like a lease that is over.
  }
  return std::nullopt;
}

void WorkerPool::RemoveSearch(const std::string& search) {
  for (const LeaseTable::Lease& lease : leases_.RemoveSearch(search)) {
    Session& session = sessions_.at(lease.session);
    --session.held;
    session.link->SendCancel({NameOf(lease.task), lease.attempt});
  }
}

SessionId WorkerPool::Connect(std::shared_ptr<WorkerLink> link) {
  const SessionId id = next_session_++;
  sessions_[id].link = std::move(link);
  return id;
}

int WorkerPool::connected(const WorkerNeeds& needs) const {
  const auto found = able_.find(needs);
  return found == able_.end() ? 0 : static_cast<int>(found->second.size());
}

std::vector<std::string> WorkerPool::CpusOf(const std::string& engine) const {
  std::vector<std::string> cpus;
  for (const auto& [meets, ids] : able_) {
    if (meets.engine == engine && !meets.cpu.empty()) cpus.push_back(meets.cpu);
  }
  return cpus;
}

const std::set<std::string>* WorkerPool::PeersOf(const Session& session,
                                                 const std::string& search) const {
  const std::optional<WorkerNeeds> needs = owner_.NeedsOf(search);
  if (!needs || needs->engine != session.meets.engine) return nullptr;
  if (!needs->cpu.empty() && needs->cpu != session.meets.cpu) return nullptr;
  return &able_.at(*needs);
}

WorkerPool::Session* WorkerPool::Greeted(SessionId session, Time now) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return nullptr;
  if (found->second.worker_id.empty()) {
    found->second.link->Close(
        Error(Code::kInvalidArgument, "the first message of a worker must be its hello"));
    return nullptr;
  }
  found->second.last_heard = now;
  return &found->second;
}

void WorkerPool::Hello(SessionId id, const WorkerHello& hello, Time now) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  try {
    if (!session.worker_id.empty()) {
      throw Error(Code::kInvalidArgument, "hello: came twice on one stream");
    }
    CheckHello(hello);
  } catch (const Error& error) {
    session.link->Close(error);
    return;
  }
  // The worker's old stream may not have been found broken yet.
  if (const auto old = ids_.find(hello.worker_id); old != ids_.end()) {
    const SessionId replaced = old->second;
    sessions_.at(replaced).link->Close(
        Error(Code::kAborted, "worker " + hello.worker_id + " has connected again"));
    TakeBack(replaced, 0, "");
    Remove(replaced);
  }
  session.worker_id = hello.worker_id;
  session.slots = hello.slots;
  session.last_heard = now;
  session.meets = {hello.engine, hello.cpu};
  ids_[hello.worker_id] = id;
  able_[{hello.engine, ""}].insert(hello.worker_id);
  able_[session.meets].insert(hello.worker_id);
  spdlog::info("worker {} connected: {} {} on {} ({}), {} slots, holds {}", hello.worker_id,
               hello.engine, hello.version, hello.host, hello.cpu, hello.slots, hello.held.size());
  session.link->SendWelcome(options_.instance_id,
                            std::chrono::duration<double>(options_.heartbeat).count());
  Adopt(id, session, hello.held, now);
  owner_.OnWorkersChanged();
  Dispatch(now);
}

void WorkerPool::Adopt(SessionId id, Session& session, const std::vector<LeaseName>& held,
                       Time now) {
  for (const LeaseName& name : held) {
    const std::optional<TaskId> task = TaskOf(name.lease);
    if (task && PeersOf(session, task->search) != nullptr &&
        leases_.Adopt(id, session.worker_id, *task, name.attempt, now + options_.lease)) {
      ++session.held;
    } else {
      session.link->SendCancel(name);
    }
  }
}

void WorkerPool::Dispatch(Time now) {
  bool granted = !hold_;
  while (granted) {
    granted = false;
    for (auto& [id, session] : sessions_) {
      // A silent worker may be stopped or unreachable: it gets nothing more until it is heard.
      const bool open = !session.worker_id.empty() && !session.leaving &&
                        session.held < session.slots && session.last_heard + options_.lease > now;
      if (!open) continue;
      const auto peers_of = [this, &session = session](const std::string& search) {
        return PeersOf(session, search);
      };
      const auto lease = leases_.Grant(id, session.worker_id, peers_of, now + options_.lease);
      if (!lease) continue;
      ++session.held;
      granted = true;
      if (const auto order = owner_.OrderOf(lease->task)) {
        session.link->SendLease({NameOf(lease->task), lease->attempt}, *order);
      }
    }
  }
}

void WorkerPool::Result(SessionId id, const LeaseName& name, const WorkerResult& result, Time now) {
  Session* session = Greeted(id, now);
  if (session == nullptr) return;
  const std::shared_ptr<WorkerLink> link = session->link;
  const std::optional<TaskId> task = TaskOf(name.lease);
  const std::optional<LeaseOrder> order = task ? owner_.OrderOf(*task) : std::nullopt;
  if (order) {
    const std::string complaint = Complaint(*order, result);
    if (!complaint.empty()) return Failure(id, name, complaint, now);
  }
  if (!order || !leases_.Settle(id, *task, name.attempt)) {
    link->SendAck(name);  // late: the candidate is measured, or somebody else has it
    return;
  }
  --session->held;
  owner_.OnMeasured(*task, result, session->worker_id, [link, name] { link->SendAck(name); });
  Dispatch(now);
}

void WorkerPool::Failure(SessionId id, const LeaseName& name, const std::string& message,
                         Time now) {
  Session* session = Greeted(id, now);
  if (session == nullptr) return;
  const std::shared_ptr<WorkerLink> link = session->link;
  const auto acknowledge = [link, name] { link->SendAck(name); };
  const std::optional<TaskId> task = TaskOf(name.lease);
  const LeaseTable::Lease lease{task.value_or(TaskId{}), name.attempt, id, {}};
  if (!task || !leases_.Renew(id, *task, name.attempt, now + options_.lease)) {
    acknowledge();
    return;
  }
  spdlog::warn("worker {} failed {}: {}", session->worker_id, name.lease, message);
  Strike(id, lease, message, acknowledge);
  Dispatch(now);
}

void WorkerPool::Strike(SessionId id, const LeaseTable::Lease& lease, const std::string& reason,
                        std::function<void()> acknowledge) {
  Session& session = sessions_.at(id);
  const std::string worker = session.worker_id;
  const std::optional<int> strikes = leases_.Return(id, worker, lease.task, lease.attempt, true);
  if (strikes) --session.held;
  if (strikes && *strikes >= kMaxStrikes) {
    leases_.Drop(lease.task);
    owner_.OnGivenUp(lease.task,
                     "given up after " + std::to_string(*strikes) + " tries, the last by worker " +
                         worker + ": " + reason,
                     worker, std::move(acknowledge));
  } else {
    acknowledge();
  }
}

void WorkerPool::Heartbeat(SessionId id, const std::vector<LeaseName>& held, Time now) {
  Session* session = Greeted(id, now);
  if (session == nullptr) return;
  for (const LeaseName& name : held) {
    const std::optional<TaskId> task = TaskOf(name.lease);
    if (task) leases_.Renew(id, *task, name.attempt, now + options_.lease);
  }
  Dispatch(now);
}

void WorkerPool::Goodbye(SessionId id, Time now) {
  Session* session = Greeted(id, now);
  if (session == nullptr) return;
  spdlog::info("worker {} says goodbye", session->worker_id);
  session->leaving = true;
  TakeBack(id, 0, "");
  session->link->Close(std::nullopt);
  Dispatch(now);
}

void WorkerPool::Disconnected(SessionId id, Time now) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (!session.worker_id.empty()) {
    spdlog::info("worker {} is gone, it held {}", session.worker_id, session.held);
    // All slots but one are running, oldest first: what merely waited is not to blame.
    TakeBack(id, session.slots > 1 ? session.slots - 1 : 1, "its connection was lost");
  }
  Remove(id);
  Dispatch(now);
}

void WorkerPool::TakeBack(SessionId id, int strikes, const std::string& reason) {
  for (const LeaseTable::Lease& lease : leases_.HeldBy(id)) {
    if (strikes-- > 0) {
      Strike(id, lease, reason, [] {});
    } else {
      leases_.Return(id, sessions_.at(id).worker_id, lease.task, lease.attempt, false);
      --sessions_.at(id).held;
    }
  }
}

void WorkerPool::Remove(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  const std::string worker = found->second.worker_id;
  const WorkerNeeds meets = found->second.meets;
  sessions_.erase(found);
  const auto named = ids_.find(worker);
  if (named != ids_.end() && named->second == id) {
    ids_.erase(named);
    for (const WorkerNeeds& key : {WorkerNeeds{meets.engine, ""}, meets}) {
      const auto able = able_.find(key);
      if (able == able_.end()) continue;  // no processor named: both are the same
      able->second.erase(worker);
      if (able->second.empty()) able_.erase(able);
    }
    owner_.OnWorkersChanged();
  }
}

void WorkerPool::Tick(Time now) {
  for (const LeaseTable::Lease& lease : leases_.Expired(now)) {
    const Session& session = sessions_.at(lease.session);
    const LeaseName name{NameOf(lease.task), lease.attempt};
    spdlog::warn("lease {} of worker {} has expired", name.lease, session.worker_id);
    session.link->SendCancel(name);
    Strike(lease.session, lease, "its lease expired", [] {});
  }
  Dispatch(now);
}

void WorkerPool::CloseAll(const Error& why) {
  hold_ = true;
  for (auto& [id, session] : sessions_) session.link->Close(why);
}

}  // namespace oqat::server
