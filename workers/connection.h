#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "oqat/v1/worker_service.grpc.pb.h"

namespace oqat::workers {

struct ConnectionOptions {
  std::string coordinator;  ///< HOST:PORT, for log lines
  std::string worker_id;
  std::string engine, cpu;
  int slots = 2;
  double first_retry_seconds = 0.1;
  double last_retry_seconds = 5;
  double welcome_timeout_seconds = 10;  ///< a peer that says nothing for so long is left
  double complain_seconds = 30;         ///< how often an unreachable coordinator is complained of
};

/// What the connection asks of and tells its worker. Called on the connection's threads, never
/// while it holds a lock; must return soon.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  virtual std::vector<v1::LeaseId> HeldLeases() = 0;  ///< running and queued
  virtual double Progress() = 0;                      ///< of the running evaluation, 0 to 1
  virtual void OnConnected() = 0;                     ///< welcomed, for the first time or again
  virtual void OnLease(const v1::Lease& lease) = 0;
  virtual void OnCancel(const v1::LeaseId& id) = 0;
  virtual void OnDrain() = 0;
};

/// A worker's side of WorkerService.Connect. Reconnects for ever; results are kept until the
/// coordinator has acknowledged them and sent again on every new stream.
///
/// Threads: one that connects and reads, and per stream one that writes (messages in the order
/// they were reported, heartbeats between them), so that reporting never blocks. All public
/// functions are thread-safe.
class Connection {
 public:
  Connection(ConnectionOptions options, const std::shared_ptr<grpc::Channel>& channel,
             ConnectionHandler& handler);
  ~Connection();  ///< as Stop without a goodbye
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();

  /// `message` holds a result or a failure.
  void Report(v1::WorkerMessage message);

  /// Says goodbye on the present stream and ends it; a new one is tried after last_retry_seconds.
  void Leave(const std::string& reason);

  /// Messages not yet acknowledged.
  std::size_t unacknowledged() const;

  /// True if everything reported was acknowledged within `seconds`.
  bool WaitUntilAcknowledged(double seconds);

  /// Goodbye (if connected), then the end of the stream, forced after `seconds`. No handler call
  /// comes after it returns. Idempotent.
  void Stop(const std::string& reason, double seconds);

 private:
  using Clock = std::chrono::steady_clock;
  struct Stream;

  void Run();
  bool RunStream();  ///< true if the coordinator welcomed us
  void Write(Stream& stream);
  void Read(Stream& stream);
  void Acknowledge(const v1::LeaseId& id);
  void LogLost(const grpc::Status& status, bool was_welcome);

  const ConnectionOptions options_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  ConnectionHandler& handler_;

  mutable std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  std::list<v1::WorkerMessage> unacknowledged_;  ///< oldest first
  Stream* stream_ = nullptr;
  bool stopping_ = false;
  bool leaving_ = false;

  // Of the connecting thread alone.
  bool complained_ = false;
  Clock::time_point last_complaint_;

  std::jthread thread_;
};

}  // namespace oqat::workers
