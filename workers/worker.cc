#include "workers/worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "rpc/channel.h"
#include "workers/lease_task.h"

namespace oqat::workers {
namespace {

// The same work, whatever the attempt.
bool SameWork(v1::Lease a, v1::Lease b) {
  a.mutable_id()->set_attempt(0);
  b.mutable_id()->set_attempt(0);
  return a.SerializeAsString() == b.SerializeAsString();
}

// A cancel names the attempt it is about; a later one, meanwhile adopted, is not meant.
bool Names(const v1::LeaseId& id, const v1::Lease& lease) {
  return lease.id().lease() == id.lease() && lease.id().attempt() <= id.attempt();
}

ConnectionOptions Complete(ConnectionOptions options,
                           const std::vector<std::unique_ptr<Evaluator>>& evaluators) {
  options.engine = std::string(evaluators.front()->engine());
  options.cpu = evaluators.front()->cpu();
  options.slots = static_cast<int>(evaluators.size()) + 1;
  return options;
}

}  // namespace

Worker::Worker(WorkerOptions options, std::vector<std::unique_ptr<Evaluator>> evaluators)
    : options_(std::move(options)), cache_(options_.cache_dir, options_.cache_bytes) {
  const auto channel = rpc::MakeChannel(options_.connection.coordinator);
  ConnectionHandler& handler = *this;  // make_unique may not use a private base
  connection_ =
      std::make_unique<Connection>(Complete(options_.connection, evaluators), channel, handler);
  for (std::unique_ptr<Evaluator>& evaluator : evaluators) {
    Slot& slot = slots_.emplace_back();
    slot.evaluator = std::move(evaluator);
    slot.source = std::make_unique<GrpcArtifactSource>(channel);
  }
}

Worker::~Worker() { Shutdown(); }

void Worker::Start() {
  for (Slot& slot : slots_) {
    slot.thread = std::jthread([this, &slot] { EvaluateLeases(slot); });
  }
  connection_->Start();
}

void Worker::Shutdown() {
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    queue_.clear();
    changed_.notify_all();
    if (!Idle()) {
      spdlog::info("stopping: waiting up to {:.0f} s for the evaluation that runs",
                   options_.grace_seconds);
    }
    changed_.wait_for(lock, std::chrono::duration<double>(options_.grace_seconds),
                      [&] { return Idle(); });
    for (Slot& slot : slots_) {
      if (slot.running) slot.running->cancelled = true;
    }
  }
  for (Slot& slot : slots_) {
    slot.source->Cancel();
    if (slot.thread.joinable()) slot.thread.join();
  }
  if (connection_->unacknowledged() > 0) {
    connection_->WaitUntilAcknowledged(options_.goodbye_seconds);
  }
  connection_->Stop("the worker shuts down", options_.goodbye_seconds);
}

bool Worker::Idle() const {
  return std::none_of(slots_.begin(), slots_.end(),
                      [](const Slot& slot) { return slot.running != nullptr; });
}

std::vector<v1::LeaseId> Worker::HeldLeases() {
  const std::lock_guard lock(mutex_);
  std::vector<v1::LeaseId> held;
  for (const Slot& slot : slots_) {
    if (slot.running && !slot.running->cancelled) held.push_back(slot.running->lease.id());
  }
  for (const v1::Lease& lease : queue_) held.push_back(lease.id());
  return held;
}

double Worker::Progress() {
  const std::lock_guard lock(mutex_);
  double sum = 0;
  int count = 0;
  for (const Slot& slot : slots_) {
    if (!slot.running) continue;
    sum += slot.running->progress;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

void Worker::OnConnected() {
  const std::lock_guard lock(mutex_);
  draining_ = false;
}

void Worker::OnLease(const v1::Lease& lease) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;  // the goodbye gives it back
  // A lease that we hold, handed to us again after a reconnect: the work goes on under the new
  // attempt.
  for (Slot& slot : slots_) {
    if (slot.running && !slot.running->cancelled && SameWork(slot.running->lease, lease)) {
      slot.running->lease = lease;
      return;
    }
  }
  for (v1::Lease& queued : queue_) {
    if (SameWork(queued, lease)) {
      queued = lease;
      return;
    }
  }
  queue_.push_back(lease);
  changed_.notify_all();
}

void Worker::OnCancel(const v1::LeaseId& id) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(queue_, [&](const v1::Lease& lease) { return Names(id, lease); });
    for (Slot& slot : slots_) {
      if (!slot.running || !Names(id, slot.running->lease)) continue;
      slot.running->cancelled = true;
      slot.source->Cancel();
    }
  }
  LeaveIfDrained();
}

void Worker::OnDrain() {
  spdlog::info("the coordinator asks to drain: finishing what is held, then leaving it");
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  LeaveIfDrained();
}

void Worker::LeaveIfDrained() {
  {
    const std::lock_guard lock(mutex_);
    if (!draining_ || !queue_.empty() || !Idle()) return;
  }
  connection_->Leave("drained");
}

void Worker::EvaluateLeases(Slot& slot) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      slot.running = std::make_unique<Running>();
      slot.running->lease = std::move(queue_.front());
      queue_.pop_front();
    }
    Answer(slot, *slot.running);
    {
      const std::lock_guard lock(mutex_);
      slot.running.reset();
      changed_.notify_all();
    }
    LeaveIfDrained();
  }
}

void Worker::Answer(Slot& slot, Running& running) {
  v1::Lease lease;
  {
    const std::lock_guard lock(mutex_);
    lease = running.lease;
  }
  v1::WorkerMessage message;
  double seconds = 0;
  try {
    const EvaluationOutcome outcome = Measure(slot, lease, running, seconds);
    message = ResultOf(lease.id(), outcome, seconds);
    spdlog::debug("lease {}: measured in {:.2f} s", lease.id().lease(), seconds);
  } catch (const std::exception& error) {
    message = FailureOf(lease.id(), error);
  } catch (...) {
    message = FailureOf(lease.id(), Error(Code::kInternal, "the evaluator threw an unknown type"));
  }
  if (running.cancelled) {
    spdlog::debug("lease {}: cancelled", lease.id().lease());
    return;
  }
  if (message.has_failure()) {
    spdlog::warn("lease {}: {}: {}", lease.id().lease(), message.failure().code(),
                 message.failure().message());
  }
  {
    // The attempt under which we hold it now.
    const std::lock_guard lock(mutex_);
    auto& id = message.has_result() ? *message.mutable_result()->mutable_id()
                                    : *message.mutable_failure()->mutable_id();
    id = running.lease.id();
  }
  // Before it stops being held: a hello in between must name it one way or the other.
  connection_->Report(std::move(message));
}

EvaluationOutcome Worker::Measure(Slot& slot, const v1::Lease& lease, Running& running,
                                  double& seconds) {
  LeaseTask work = TaskFromLease(lease);
  if (work.engine != slot.evaluator->engine()) {
    throw InvalidField("lease.protocol.engine", work.engine,
                       "this worker's, " + std::string(slot.evaluator->engine()));
  }
  const auto keep_going = [&] { return !running.cancelled.load(); };
  const CachedFile checkpoint = cache_.Fetch(work.checkpoint, *slot.source, keep_going);
  const CachedFile set = cache_.Fetch(work.evaluation_set, *slot.source, keep_going);
  work.task.checkpoint = {work.checkpoint.sha256, checkpoint.path()};
  work.task.evaluation_set = {work.evaluation_set.sha256, set.path()};
  const auto began = std::chrono::steady_clock::now();
  const EvaluationOutcome outcome = slot.evaluator->Evaluate(work.task, [&](double share) {
    running.progress = share;
    return !running.cancelled.load();
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  seconds = took.count();
  return outcome;
}

}  // namespace oqat::workers
