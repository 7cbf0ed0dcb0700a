// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "artifacts/model.h"
#include "oqat/v1/model_service.grpc.pb.h"
#include "oqat/v1/search_service.grpc.pb.h"
#include "oqat/v1/worker_service.grpc.pb.h"
#include "server/coordinator.h"

namespace oqat::server {

/// The files of a model of tiny-mbv3 whose checkpoints hold hardly anything.
struct HollowModel {
  v1::Model model;
  std::vector<std::string> files;  ///< checkpoints in the model's order, then the evaluation set
};
HollowModel MakeHollowModel(const std::string& name);

/// A coordinator in this process on a scratch folder, and stubs to talk to it.
class Bench {
 public:
  explicit Bench(std::chrono::milliseconds lease = std::chrono::seconds(60));
  ~Bench();

  void Stop() { coordinator_.reset(); }
  void Start();  ///< again on the same folder, on any port
  std::string address() const { return coordinator_->address(); }
  const std::string& folder() const { return folder_; }
  /// Names in a subfolder of the data directory.
  std::vector<std::string> FilesIn(const std::string& subfolder) const;

  v1::SearchService::Stub& searches() { return *searches_; }
  v1::ModelService::Stub& models() { return *models_; }

  /// Sends the model and its files; `damage` may change what is sent.
  grpc::Status Upload(const HollowModel& model, v1::Model* answer = nullptr,
                      const std::function<void(v1::UploadModelRequest&)>& damage = {});
  void PushHollow(const std::string& name = "hollow");  ///< fails the test if it does not

  v1::CreateSearchRequest Request(int evaluations, int round_size = 4);
  grpc::Status Create(const v1::CreateSearchRequest& request, v1::Search* answer = nullptr);
  v1::Search Get(const std::string& id);
  /// Polls until `done(search)`; fails the test after 20 s.
  v1::Search Await(const std::string& id, const std::function<bool(const v1::Search&)>& done);
  v1::Search AwaitEnd(const std::string& id);
  v1::Front Front(const std::string& id);
  std::vector<v1::Evaluation> Evaluations(const std::string& id);

 private:
  std::string folder_;
  std::chrono::milliseconds lease_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<v1::SearchService::Stub> searches_;
  std::unique_ptr<v1::ModelService::Stub> models_;
};

/// The metrics that every scripted worker measures: a function of the architecture.
v1::Result Measure(const v1::Lease& lease);

/// A worker whose every word the test says, over real gRPC. Answers leases by itself once
/// `answer` is set: with a result, or with a failure if it returns nothing.
class ScriptedWorker {
 public:
  using Answer = std::function<std::optional<v1::Result>(const v1::Lease&)>;
  struct Kind {
    std::string engine = "int8", cpu;
  };

  ScriptedWorker(const std::string& address, const std::string& id, int slots, Answer answer = {},
                 const std::vector<v1::LeaseId>& held = {}, const Kind& kind = {"int8", ""});
  ~ScriptedWorker();

  /// Until the coordinator knows this worker; false if it refuses.
  bool AwaitWelcome();
  /// The next message but the welcome; an empty one after `seconds`.
  v1::CoordinatorMessage Next(double seconds = 10);
  v1::Lease NextLease();  ///< fails the test if the next message is none
  void Send(const v1::WorkerMessage& message);
  void SendResult(const v1::Result& result);
  void SendFailure(const v1::LeaseId& id, const std::string& message);
  void Heartbeat(const std::vector<v1::LeaseId>& held);
  void Break();         ///< as a lost connection does
  grpc::Status Wait();  ///< until the coordinator ends the stream; what it says

  int leases() const { return leases_; }

 private:
  void Read();

  Answer answer_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  std::atomic<int> leases_ = 0;
  std::mutex mutex_, writing_;
  std::condition_variable changed_;
  std::deque<v1::CoordinatorMessage> received_;  // guarded by mutex_
  bool welcome_ = false;                         // guarded by mutex_
  bool over_ = false;                            // guarded by mutex_
  std::optional<grpc::Status> status_;           // after Finish
  std::thread reader_;
};

}  // namespace oqat::server
