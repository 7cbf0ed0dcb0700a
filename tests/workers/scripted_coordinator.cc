#include "tests/workers/scripted_coordinator.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "rpc/channel.h"
#include "rpc/crc.h"

namespace oqat::workers {
namespace {

constexpr std::size_t kChunkBytes = 1000;
constexpr double kHeartbeatSeconds = 0.05;

}  // namespace

struct ScriptedCoordinator::Services : v1::WorkerService::Service, v1::ModelService::Service {
  using Call = grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>;

  grpc::Status Connect(grpc::ServerContext* context, Call* call) override {
    {
      const std::lock_guard lock(mutex);
      newest = call;
      newest_context = context;
      heartbeats.clear();
    }
    v1::WorkerMessage message;
    while (call->Read(&message)) {
      const std::lock_guard lock(mutex);
      if (message.has_heartbeat()) {
        heartbeats.push_back(message.heartbeat());
      } else {
        if (message.has_hello() && welcomes) {
          v1::CoordinatorMessage welcome;
          welcome.mutable_welcome()->set_instance_id("scripted");
          welcome.mutable_welcome()->set_heartbeat_seconds(kHeartbeatSeconds);
          call->Write(welcome);
        }
        received.push_back(message);
      }
      changed.notify_all();
    }
    const std::lock_guard lock(mutex);
    if (newest == call) {
      newest = nullptr;
      newest_context = nullptr;
    }
    changed.notify_all();
    return grpc::Status::OK;
  }

  grpc::Status DownloadArtifact(grpc::ServerContext* context,
                                const v1::DownloadArtifactRequest* request,
                                grpc::ServerWriter<v1::ArtifactChunk>* writer) override {
    std::string bytes;
    std::uint64_t limit = UINT64_MAX;
    {
      std::unique_lock lock(mutex);
      offsets.push_back(request->offset());
      changed.notify_all();
      const auto found = artifacts.find(request->sha256());
      if (found == artifacts.end()) {
        return {grpc::StatusCode::NOT_FOUND, "artifact " + request->sha256() + ": is not here"};
      }
      bytes = found->second;
      if (breaks > 0) {
        --breaks;
        limit = break_after;
      }
      while (stall && !context->IsCancelled()) {
        changed.wait_for(lock, std::chrono::milliseconds(10));
      }
    }
    std::uint64_t sent = 0;
    for (std::uint64_t at = request->offset(); at < bytes.size(); at += kChunkBytes) {
      if (sent >= limit) return {grpc::StatusCode::UNAVAILABLE, "scripted break"};
      v1::ArtifactChunk chunk;
      chunk.set_sha256(request->sha256());
      chunk.set_offset(at);
      chunk.set_data(bytes.substr(at, kChunkBytes));
      chunk.set_crc32(rpc::Crc32(chunk.data()));
      {
        const std::lock_guard lock(mutex);
        if (damaged > 0) {
          --damaged;
          (*chunk.mutable_data())[0] ^= 1;
        }
      }
      sent += chunk.data().size();
      if (!writer->Write(chunk)) break;
    }
    return grpc::Status::OK;
  }

  const bool welcomes;
  std::mutex mutex;
  std::condition_variable changed;
  Call* newest = nullptr;
  grpc::ServerContext* newest_context = nullptr;
  std::deque<v1::WorkerMessage> received;
  std::deque<v1::Heartbeat> heartbeats;
  std::map<std::string, std::string> artifacts;
  std::vector<std::uint64_t> offsets;
  int damaged = 0, breaks = 0;
  std::uint64_t break_after = 0;
  bool stall = false;

  explicit Services(bool welcomes_workers) : welcomes(welcomes_workers) {}
};

ScriptedCoordinator::ScriptedCoordinator(int port, bool welcomes)
    : services_(std::make_unique<Services>(welcomes)) {
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(static_cast<v1::WorkerService::Service*>(services_.get()));
  builder.RegisterService(static_cast<v1::ModelService::Service*>(services_.get()));
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) throw std::runtime_error("the scripted coordinator has no port");
}

ScriptedCoordinator::~ScriptedCoordinator() {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(10));
}

v1::WorkerMessage ScriptedCoordinator::Next(double seconds) {
  std::unique_lock lock(services_->mutex);
  services_->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                              [&] { return !services_->received.empty(); });
  if (services_->received.empty()) return {};
  v1::WorkerMessage message = std::move(services_->received.front());
  services_->received.pop_front();
  return message;
}

void ScriptedCoordinator::Send(const v1::CoordinatorMessage& message) {
  const std::lock_guard lock(services_->mutex);
  if (services_->newest == nullptr) throw std::runtime_error("no worker is connected");
  services_->newest->Write(message);
}

void ScriptedCoordinator::SendLease(const v1::Lease& lease) {
  v1::CoordinatorMessage message;
  *message.mutable_lease() = lease;
  Send(message);
}

void ScriptedCoordinator::SendAck(const v1::LeaseId& id) {
  v1::CoordinatorMessage message;
  *message.mutable_ack()->mutable_id() = id;
  Send(message);
}

void ScriptedCoordinator::SendCancel(const v1::LeaseId& id) {
  v1::CoordinatorMessage message;
  *message.mutable_cancel()->mutable_id() = id;
  Send(message);
}

void ScriptedCoordinator::SendDrain() {
  v1::CoordinatorMessage message;
  message.mutable_drain();
  Send(message);
}

void ScriptedCoordinator::BreakStream() {
  const std::lock_guard lock(services_->mutex);
  if (services_->newest_context != nullptr) services_->newest_context->TryCancel();
}

bool ScriptedCoordinator::WaitForHeartbeat(const std::function<bool(const v1::Heartbeat&)>& wanted,
                                           double seconds) {
  std::unique_lock lock(services_->mutex);
  return services_->changed.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    const bool found =
        std::any_of(services_->heartbeats.begin(), services_->heartbeats.end(), wanted);
    services_->heartbeats.clear();
    return found;
  });
}

bool ScriptedCoordinator::WaitForEnd(double seconds) {
  std::unique_lock lock(services_->mutex);
  return services_->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                     [&] { return services_->newest == nullptr; });
}

artifacts::ArtifactRef ScriptedCoordinator::AddArtifact(const std::string& bytes) {
  const std::string sha256 = Sha256Hex(bytes);
  OfferAs(sha256, bytes);
  return {sha256, bytes.size()};
}

void ScriptedCoordinator::OfferAs(const std::string& sha256, const std::string& bytes) {
  const std::lock_guard lock(services_->mutex);
  services_->artifacts[sha256] = bytes;
}

void ScriptedCoordinator::DamageNextChunks(int count) {
  const std::lock_guard lock(services_->mutex);
  services_->damaged = count;
}

void ScriptedCoordinator::BreakDownloadsAfter(std::uint64_t bytes, int count) {
  const std::lock_guard lock(services_->mutex);
  services_->break_after = bytes;
  services_->breaks = count;
}

void ScriptedCoordinator::StallDownloads(bool stall) {
  const std::lock_guard lock(services_->mutex);
  services_->stall = stall;
  services_->changed.notify_all();
}

std::vector<std::uint64_t> ScriptedCoordinator::download_offsets() const {
  const std::lock_guard lock(services_->mutex);
  return services_->offsets;
}

}  // namespace oqat::workers
