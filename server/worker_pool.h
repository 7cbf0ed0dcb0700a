// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "artifacts/model.h"
#include "base/error.h"
#include "server/lease_table.h"
#include "space/architecture.h"
#include "space/metric.h"

namespace oqat::server {

/// All that a worker needs to measure one candidate.
struct LeaseOrder {
  std::string space_json;
  space::Architecture architecture;
  artifacts::ArtifactRef checkpoint;
  artifacts::ArtifactRef evaluation_set;
  std::string split;
  std::string engine;
  std::int64_t calibration_images = 0;  ///< 0: all
  std::int64_t images = 0;              ///< 0: all
  std::int64_t batch_size = 0;
  bool latency = false;              ///< also latency_ms
  std::optional<double> stop_below;  ///< top1 below which it is hopeless
  std::string evaluation_key;        ///< names all of the above
};

/// Which workers may measure for a search.
struct WorkerNeeds {
  std::string engine;
  std::string cpu;  ///< empty: any

  auto operator<=>(const WorkerNeeds&) const = default;
};

/// What a worker measured.
struct WorkerResult {
  space::MetricValues metrics;
  double seconds = 0;
  std::int64_t stopped_after = 0;  ///< images after which it was given up; 0: all were counted
};

/// A lease as workers know it: opaque text and a fencing number.
struct LeaseName {
  std::string lease;
  std::int64_t attempt = 0;
};

/// What a worker says of itself when it connects.
struct WorkerHello {
  std::string worker_id;
  std::string engine;
  std::string version;
  std::string host;
  int slots = 1;
  std::vector<LeaseName> held;
  std::string cpu;
};

/// The way to one worker. Calls return at once; after Close nothing is sent.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  virtual void SendWelcome(const std::string& instance_id, double heartbeat_seconds) = 0;
  virtual void SendLease(const LeaseName& name, const LeaseOrder& order) = 0;
  virtual void SendCancel(const LeaseName& name) = 0;
  virtual void SendAck(const LeaseName& name) = 0;
  virtual void Close(const std::optional<Error>& why) = 0;
};

/// Where candidates come from and where their measurements go. `committed` is called once what was
/// told is durable.
class TaskOwner {
 public:
  virtual ~TaskOwner() = default;
  /// Nothing if the candidate is no longer wanted.
  virtual std::optional<LeaseOrder> OrderOf(const TaskId& task) const = 0;
  /// Nothing if there is no such search.
  virtual std::optional<WorkerNeeds> NeedsOf(const std::string& search) const = 0;
  virtual void OnMeasured(const TaskId& task, const WorkerResult& result, const std::string& worker,
                          std::function<void()> committed) = 0;
  virtual void OnGivenUp(const TaskId& task, const std::string& reason, const std::string& worker,
                         std::function<void()> committed) = 0;
  virtual void OnWorkersChanged() = 0;
};

struct WorkerPoolOptions {
  std::string instance_id;
  std::int64_t first_attempt = 1;
  std::chrono::milliseconds lease{60'000};
  std::chrono::milliseconds heartbeat{5'000};
};

/// Connected workers and the leases they hold. A lost worker's candidates go to others; one that
/// kills or fails three workers is given up. Lives on the loop; time is an argument.
class WorkerPool {
 public:
  using Time = LeaseTable::Time;

  static constexpr int kMaxStrikes = 3;
  static constexpr int kMaxSlots = 1024;
  static constexpr std::size_t kMaxText = 200;  ///< bytes of what a worker says of itself

  WorkerPool(WorkerPoolOptions options, TaskOwner& owner);

  // Searches.
  void Add(const TaskId& task) { leases_.Add(task); }  ///< call Dispatch after a batch of these
  void RemoveSearch(const std::string& search);        ///< workers are told to stop
  void SetPaused(const std::string& search, bool paused) { leases_.SetPaused(search, paused); }
  /// While held, nothing is leased: results could not be stored.
  void SetHold(bool hold) { hold_ = hold; }
  void Dispatch(Time now);
  int InFlight(const std::string& search) const { return leases_.InFlight(search); }
  bool IsLeased(const TaskId& task) const { return leases_.Leased(task); }
  int connected() const { return static_cast<int>(ids_.size()); }
  /// Of these, the ones that meet `needs`.
  int connected(const WorkerNeeds& needs) const;
  /// Of the connected workers with `engine`, in order, each once.
  std::vector<std::string> CpusOf(const std::string& engine) const;

  // Workers.
  SessionId Connect(std::shared_ptr<WorkerLink> link);
  void Hello(SessionId session, const WorkerHello& hello, Time now);
  void Result(SessionId session, const LeaseName& name, const WorkerResult& result, Time now);
  void Failure(SessionId session, const LeaseName& name, const std::string& message, Time now);
  void Heartbeat(SessionId session, const std::vector<LeaseName>& held, Time now);
  void Goodbye(SessionId session, Time now);
  void Disconnected(SessionId session, Time now);

  /// Takes back leases whose deadline has passed. Call every second or so.
  void Tick(Time now);
  /// Ends every stream; workers keep what they hold and come back.
  void CloseAll(const Error& why);

 private:
  struct Session {
    std::shared_ptr<WorkerLink> link;
    std::string worker_id;  // empty before hello
    WorkerNeeds meets;      // its engine and processor
    int slots = 0;
    int held = 0;
    bool leaving = false;
    Time last_heard;
  };

  Session* Greeted(SessionId session, Time now);
  const std::set<std::string>* PeersOf(const Session& session, const std::string& search) const;
  std::string NameOf(const TaskId& task) const;
  std::optional<TaskId> TaskOf(const std::string& lease) const;
  void Adopt(SessionId id, Session& session, const std::vector<LeaseName>& held, Time now);
  void TakeBack(SessionId session, int strikes, const std::string& reason);
  void Strike(SessionId session, const LeaseTable::Lease& lease, const std::string& reason,
              std::function<void()> acknowledge);
  void Remove(SessionId session);

  const WorkerPoolOptions options_;
  TaskOwner& owner_;
  LeaseTable leases_;
  std::map<SessionId, Session> sessions_;
  std::map<std::string, SessionId> ids_;  // of greeted workers
  // Ids by what they meet, under their engine alone and under engine and processor.
  std::map<WorkerNeeds, std::set<std::string>> able_;
  SessionId next_session_ = 1;
  bool hold_ = false;
};

}  // namespace oqat::server
