// SPDX-License-Identifier: Apache-2.0
#include "server/coordinator.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "rpc/channel.h"
#include "server/artifact_store.h"
#include "server/listen_address.h"
#include "server/loop.h"
#include "server/model_catalog.h"
#include "server/model_service.h"
#include "server/search_manager.h"
#include "server/search_service.h"
#include "server/worker_service.h"
#include "storage/async_store.h"
#include "storage/sqlite_store.h"

namespace oqat::server {
namespace {

constexpr int kFileThreads = 2;
constexpr std::chrono::milliseconds kGrace{2000};  // for calls in progress when we stop
constexpr int kStartBits = 32;                     // attempts that one life may give out

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void MakeDataDir(const std::string& dir) {
  if (dir.empty()) throw InvalidField("--data", "\"\"", "the folder that keeps everything");
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error || !std::filesystem::is_directory(dir)) {
    throw Error(Code::kFailedPrecondition,
                "--data: cannot make folder " + dir + ": " +
                    (error ? error.message() : std::string("there is a file of that name")));
  }
}

// Tells this data directory from others; it needs to be unlikely, not secret.
std::string MakeInstanceId() {
  return Sha256Hex("oqat instance " + std::to_string(::getpid()) + " " +
                   std::to_string(std::chrono::system_clock::now().time_since_epoch().count()))
      .substr(0, 16);
}

WorkerPoolOptions OptionsOf(const CoordinatorOptions& options, storage::Store& store) {
  WorkerPoolOptions workers;
  workers.lease = options.lease;
  workers.heartbeat = options.heartbeat;
  store.InTransaction([&] {
    auto instance = store.GetMeta("instance_id");
    if (!instance) store.PutMeta("instance_id", *(instance = MakeInstanceId()));
    workers.instance_id = *instance;
    // Fencing: attempts of this life are above those of every earlier one.
    const std::int64_t starts = std::stoll(store.GetMeta("starts").value_or("0")) + 1;
    store.PutMeta("starts", std::to_string(starts));
    workers.first_attempt = starts << kStartBits;
  });
  return workers;
}

void CheckOptions(const CoordinatorOptions& options) {
  using std::chrono::milliseconds;
  if (options.heartbeat < milliseconds(10) || options.heartbeat > milliseconds(3'600'000)) {
    throw InvalidField("--heartbeat-seconds", std::to_string(options.heartbeat.count()) + " ms",
                       "0.01 to 3600");
  }
  if (options.lease < 2 * options.heartbeat || options.lease > milliseconds(86'400'000)) {
    throw InvalidField("--lease-seconds", std::to_string(options.lease.count()) + " ms",
                       "twice --heartbeat-seconds to 86400");
  }
}

}  // namespace

struct Coordinator::Parts {
  Parts(const CoordinatorOptions& options, std::unique_ptr<storage::Store> opened)
      : store(std::move(opened)),
        async(std::in_place, *store,
              [this](std::function<void()> done) { loop.Post(std::move(done)); }),
        artifacts(options.data_dir),
        models(loop, files, *async, artifacts, NowMs),
        searches(loop, compute, files, *async, models, NowMs, OptionsOf(options, *store)),
        search_service(loop, searches),
        model_service({loop, files, models, artifacts}),
        worker_service(loop, searches.workers()),
        tick(std::clamp(options.lease / 8, std::chrono::milliseconds(20),
                        std::chrono::milliseconds(1000))) {
    models.SetUsers([this](const std::string& model) { return searches.ActiveSearchesOf(model); });
    models.Load(*store);
    searches.Recover(*store);
  }

  void Listen(const ListenAddress& address) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    rpc::ConfigureServer(builder);
    builder.AddListeningPort(address.Text(), grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&search_service);
    builder.RegisterService(&model_service);
    builder.RegisterService(&worker_service);
    server = builder.BuildAndStart();
    if (!server || port == 0) {
      throw Error(Code::kUnavailable, "cannot listen on " + address.Text());
    }
  }

  void Tick() {
    searches.workers().Tick(std::chrono::steady_clock::now());
    loop.After(tick, [this] { Tick(); });
  }

  Loop loop;
  Pool compute{1};
  Pool files{kFileThreads};
  std::unique_ptr<storage::Store> store;
  std::optional<storage::AsyncStore> async;
  ArtifactStore artifacts;
  ModelCatalog models;
  SearchManager searches;
  SearchService search_service;
  ModelService model_service;
  WorkerService worker_service;
  const std::chrono::milliseconds tick;
  int port = 0;
  std::string host;
  std::unique_ptr<grpc::Server> server;
};

Coordinator::Coordinator(const CoordinatorOptions& options) {
  CheckOptions(options);
  const ListenAddress address = ParseListenAddress(options.listen, "--listen");
  CheckFree(address);  // before anything is written
  MakeDataDir(options.data_dir);
  parts_ = std::make_unique<Parts>(
      options, storage::OpenSqliteStore({.path = options.data_dir + "/oqat.db", .max_bytes = 0}));
  parts_->Listen(address);
  parts_->host = address.host;
  parts_->loop.Post([parts = parts_.get()] {
    parts->searches.Start();
    parts->Tick();
  });
}

Coordinator::~Coordinator() {
  parts_->loop.RunAndWait([this] {
    parts_->searches.workers().CloseAll(
        Error(Code::kUnavailable, "the coordinator is shutting down"));
  });
  parts_->server->Shutdown(std::chrono::system_clock::now() + kGrace);
  parts_->server.reset();
  // What is queued for the database is written; nobody waits for its callbacks any more.
  parts_->loop.Stop();
  parts_->compute.Stop();
  parts_->files.Stop();
  parts_->async.reset();
}

int Coordinator::port() const { return parts_->port; }

std::string Coordinator::address() const {
  return ListenAddress{parts_->host, parts_->port}.Text();
}

}  // namespace oqat::server
