#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/model.h"
#include "oqat/v1/model_service.grpc.pb.h"
#include "oqat/v1/worker_service.grpc.pb.h"

namespace oqat::workers {

/// A coordinator whose every word the test says: real gRPC on a real port, no logic of its own.
/// Heartbeats are counted, all else that a worker says is queued for Next(). Thread-safe.
class ScriptedCoordinator {
 public:
  /// Port 0: any. Starting again on the same port is what a restarted coordinator does.
  explicit ScriptedCoordinator(int port = 0, bool welcomes = true);
  ~ScriptedCoordinator();

  int port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  /// The next message of a worker; an empty one after `seconds`.
  v1::WorkerMessage Next(double seconds = 10);

  void Send(const v1::CoordinatorMessage& message);  ///< on the newest stream
  void SendLease(const v1::Lease& lease);
  void SendAck(const v1::LeaseId& id);
  void SendCancel(const v1::LeaseId& id);
  void SendDrain();
  void BreakStream();  ///< as a lost connection does

  /// Waits until a heartbeat satisfies `wanted`.
  bool WaitForHeartbeat(const std::function<bool(const v1::Heartbeat&)>& wanted,
                        double seconds = 10);
  /// Waits until the newest stream has ended.
  bool WaitForEnd(double seconds = 10);

  artifacts::ArtifactRef AddArtifact(const std::string& bytes);
  /// An artifact offered under a name that is not its sha256.
  void OfferAs(const std::string& sha256, const std::string& bytes);
  void DamageNextChunks(int count);
  void BreakDownloadsAfter(std::uint64_t bytes, int count);  ///< `count` downloads: UNAVAILABLE
  void StallDownloads(bool stall);
  std::vector<std::uint64_t> download_offsets() const;  ///< one per download asked for

 private:
  struct Services;
  std::unique_ptr<Services> services_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace oqat::workers
