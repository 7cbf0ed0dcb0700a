#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "workers/artifact_cache.h"
#include "workers/connection.h"
#include "workers/evaluator.h"
#include "workers/grpc_artifact_source.h"

namespace oqat::workers {

struct WorkerOptions {
  ConnectionOptions connection;  ///< its engine, processor and slots are filled in by the worker
  std::string cache_dir;
  std::uint64_t cache_bytes = std::uint64_t{8} << 30;
  double grace_seconds = 3;    ///< at shutdown, for the evaluation that runs
  double goodbye_seconds = 1;  ///< at shutdown, for acknowledgements, then for the stream's end
};

/// Measures what a coordinator leases to it, until it is shut down. It survives anything: a lease
/// that cannot be measured is answered with a failure, a lost coordinator is looked for again.
///
/// Threads: the connection's two, and one per evaluator. The queue is guarded by one mutex, which
/// is never held while calling the connection, an evaluator or the cache.
class Worker final : private ConnectionHandler {
 public:
  /// One evaluation runs at a time per evaluator, and one more lease is queued. Throws Error if the
  /// cache folder cannot be made.
  Worker(WorkerOptions options, std::vector<std::unique_ptr<Evaluator>> evaluators);
  ~Worker() override;

  void Start();

  /// Gives queued leases back, lets what runs finish within the grace time, else stops it; says
  /// goodbye. Blocks until all threads have ended. Idempotent.
  void Shutdown();

 private:
  struct Running {
    v1::Lease lease;  ///< guarded by mutex_; its attempt may rise
    std::atomic<bool> cancelled{false};
    std::atomic<double> progress{0};
  };
  struct Slot {
    std::unique_ptr<Evaluator> evaluator;
    std::unique_ptr<GrpcArtifactSource> source;
    std::unique_ptr<Running> running;  ///< guarded by mutex_
    std::jthread thread;
  };

  std::vector<v1::LeaseId> HeldLeases() override;
  double Progress() override;
  void OnConnected() override;
  void OnLease(const v1::Lease& lease) override;
  void OnCancel(const v1::LeaseId& id) override;
  void OnDrain() override;

  void EvaluateLeases(Slot& slot);
  void Answer(Slot& slot, Running& running);
  EvaluationOutcome Measure(Slot& slot, const v1::Lease& lease, Running& running, double& seconds);
  void LeaveIfDrained();
  bool Idle() const;  ///< nothing runs; mutex_ must be held

  const WorkerOptions options_;
  ArtifactCache cache_;
  std::vector<Slot> slots_;

  std::mutex mutex_;  ///< guards the rest, and what Slot says
  std::condition_variable changed_;
  std::deque<v1::Lease> queue_;
  bool stopping_ = false;
  bool draining_ = false;

  std::unique_ptr<Connection> connection_;
};

}  // namespace oqat::workers
