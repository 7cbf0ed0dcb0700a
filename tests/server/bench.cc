// SPDX-License-Identifier: Apache-2.0
#include "tests/server/bench.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "base/hash.h"
#include "rpc/channel.h"
#include "rpc/convert.h"
#include "rpc/crc.h"
#include "space/search_space.h"

namespace oqat::server {
namespace {

constexpr std::size_t kChunkBytes = 1000;

}  // namespace

HollowModel MakeHollowModel(const std::string& name) {
  HollowModel hollow;
  artifacts::Model model;
  model.name = name;
  model.space = space::Preset("tiny-mbv3");
  for (const int bits : model.space.bits) {
    artifacts::Checkpoint checkpoint;
    checkpoint.space = model.space;
    checkpoint.bits = bits;
    const std::vector<float> values(500, static_cast<float>(bits));
    checkpoint.tensors["hollow"] = artifacts::TensorFromFloats({500}, values.data());
    hollow.files.push_back(artifacts::SerializeCheckpoint(checkpoint));
    model.checkpoints.push_back(
        {bits, {Sha256Hex(hollow.files.back()), hollow.files.back().size()}});
  }
  artifacts::EvaluationSet set;
  set.source = "hollow";
  set.image_size = 8;
  for (int i = 0; i < model.space.num_classes; ++i) set.class_names.push_back(std::to_string(i));
  for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
    images->size = set.image_size;
    const std::vector<std::uint8_t> image(3 * 8 * 8, 7);
    for (int i = 0; i < 4; ++i) images->Append(image.data(), i);
  }
  hollow.files.push_back(artifacts::SerializeEvaluationSet(set));
  model.evaluation_set = {Sha256Hex(hollow.files.back()), hollow.files.back().size()};
  hollow.model = rpc::ToProto(model, 0);
  return hollow;
}

Bench::Bench(std::chrono::milliseconds lease) : lease_(lease) {
  std::string name = (std::filesystem::temp_directory_path() / "oqat-server-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = name;
  Start();
}

Bench::~Bench() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Bench::Start() {
  CoordinatorOptions options;
  options.listen = "127.0.0.1:0";
  options.data_dir = folder_;
  options.lease = lease_;
  options.heartbeat = std::chrono::milliseconds(20);
  coordinator_ = std::make_unique<Coordinator>(options);
  const auto channel = rpc::MakeChannel(address());
  searches_ = v1::SearchService::NewStub(channel);
  models_ = v1::ModelService::NewStub(channel);
}

std::vector<std::string> Bench::FilesIn(const std::string& subfolder) const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/" + subfolder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

grpc::Status Bench::Upload(const HollowModel& model, v1::Model* answer,
                           const std::function<void(v1::UploadModelRequest&)>& damage) {
  grpc::ClientContext context;
  v1::Model ignored;
  const auto writer = models_->UploadModel(&context, answer == nullptr ? &ignored : answer);
  v1::UploadModelRequest request;
  *request.mutable_model() = model.model;
  if (damage) damage(request);
  bool open = writer->Write(request);
  for (const std::string& file : model.files) {
    const std::string sha256 = Sha256Hex(file);
    for (std::size_t at = 0; open && at < file.size(); at += kChunkBytes) {
      v1::ArtifactChunk& chunk = *request.mutable_chunk();
      chunk.set_sha256(sha256);
      chunk.set_offset(at);
      chunk.set_data(file.substr(at, kChunkBytes));
      chunk.set_crc32(rpc::Crc32(chunk.data()));
      if (damage) damage(request);
      open = writer->Write(request);
    }
  }
  writer->WritesDone();
  return writer->Finish();
}

void Bench::PushHollow(const std::string& name) {
  const grpc::Status status = Upload(MakeHollowModel(name));
  ASSERT_TRUE(status.ok()) << status.error_message();
}

v1::CreateSearchRequest Bench::Request(int evaluations, int round_size) {
  v1::CreateSearchRequest request;
  request.set_model("models/hollow");
  request.set_search_id("s");
  request.mutable_spec()->set_evaluations(evaluations);
  request.mutable_spec()->set_round_size(round_size);
  request.mutable_spec()->set_seed(7);
  return request;
}

grpc::Status Bench::Create(const v1::CreateSearchRequest& request, v1::Search* answer) {
  grpc::ClientContext context;
  v1::Search ignored;
  return searches_->CreateSearch(&context, request, answer == nullptr ? &ignored : answer);
}

v1::Search Bench::Get(const std::string& id) {
  grpc::ClientContext context;
  v1::GetSearchRequest request;
  request.set_name("searches/" + id);
  v1::Search search;
  const grpc::Status status = searches_->GetSearch(&context, request, &search);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return search;
}

v1::Search Bench::Await(const std::string& id, const std::function<bool(const v1::Search&)>& done) {
  v1::Search search;
  for (int i = 0; i < 2000; ++i) {
    search = Get(id);
    if (done(search)) return search;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ADD_FAILURE() << "still " << search.DebugString();
  return search;
}

v1::Search Bench::AwaitEnd(const std::string& id) {
  return Await(id, [](const v1::Search& search) { return search.has_end_time(); });
}

v1::Front Bench::Front(const std::string& id) {
  grpc::ClientContext context;
  v1::GetFrontRequest request;
  request.set_name("searches/" + id);
  v1::Front front;
  const grpc::Status status = searches_->GetFront(&context, request, &front);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return front;
}

std::vector<v1::Evaluation> Bench::Evaluations(const std::string& id) {
  std::vector<v1::Evaluation> all;
  v1::ListEvaluationsRequest request;
  request.set_parent("searches/" + id);
  request.set_page_size(7);
  do {
    grpc::ClientContext context;
    v1::ListEvaluationsResponse page;
    const grpc::Status status = searches_->ListEvaluations(&context, request, &page);
    EXPECT_TRUE(status.ok()) << status.error_message();
    all.insert(all.end(), page.evaluations().begin(), page.evaluations().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

v1::Result Measure(const v1::Lease& lease) {
  const v1::Architecture& a = lease.architecture();
  double size = a.resolution() / 24.0 + a.bits() / 4.0;
  for (const int kernel : a.kernels()) size += kernel / 50.0;
  for (const int expand : a.expands()) size += expand / 40.0;
  v1::Result result;
  *result.mutable_id() = lease.id();
  (*result.mutable_metrics())["top1"] = size / 5 - (lease.protocol().split() == "test" ? 0.01 : 0);
  (*result.mutable_metrics())["loss"] = 3 - size / 2;
  if (lease.protocol().latency()) {
    (*result.mutable_metrics())["latency_ms"] = 10 * size;
    (*result.mutable_metrics())["latency_spread_ms"] = 0.5;
  }
  if (lease.protocol().has_stop_below() && size / 5 < lease.protocol().stop_below()) {
    result.set_stopped_after(lease.protocol().batch_size());
  }
  result.set_seconds(0.25);
  return result;
}

ScriptedWorker::ScriptedWorker(const std::string& address, const std::string& id, int slots,
                               Answer answer, const std::vector<v1::LeaseId>& held,
                               const Kind& kind)
    : answer_(std::move(answer)), stub_(v1::WorkerService::NewStub(rpc::MakeChannel(address))) {
  stream_ = stub_->Connect(&context_);
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(id);
  hello.set_engine(kind.engine);
  hello.set_cpu(kind.cpu);
  hello.set_slots(slots);
  for (const v1::LeaseId& lease : held) *hello.add_held() = lease;
  Send(message);
  reader_ = std::thread([this] { Read(); });
}

ScriptedWorker::~ScriptedWorker() {
  Break();
  reader_.join();
}

void ScriptedWorker::Read() {
  v1::CoordinatorMessage message;
  while (stream_->Read(&message)) {
    if (message.has_welcome()) {
      const std::lock_guard lock(mutex_);
      welcome_ = true;
      changed_.notify_all();
      continue;
    }
    if (message.has_lease()) ++leases_;
    if (message.has_lease() && answer_) {
      if (const auto result = answer_(message.lease())) {
        SendResult(*result);
      } else {
        SendFailure(message.lease().id(), "scripted failure");
      }
      continue;
    }
    const std::lock_guard lock(mutex_);
    received_.push_back(message);
    changed_.notify_all();
  }
  const grpc::Status status = stream_->Finish();
  const std::lock_guard lock(mutex_);
  status_ = status;
  over_ = true;
  changed_.notify_all();
}

bool ScriptedWorker::AwaitWelcome() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return welcome_ || over_; });
  return welcome_;
}

v1::CoordinatorMessage ScriptedWorker::Next(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [this] { return !received_.empty() || over_; });
  if (received_.empty()) return {};
  v1::CoordinatorMessage message = std::move(received_.front());
  received_.pop_front();
  return message;
}

v1::Lease ScriptedWorker::NextLease() {
  const v1::CoordinatorMessage message = Next();
  EXPECT_TRUE(message.has_lease()) << message.DebugString();
  return message.lease();
}

void ScriptedWorker::Send(const v1::WorkerMessage& message) {
  const std::lock_guard lock(writing_);
  stream_->Write(message);
}

void ScriptedWorker::SendResult(const v1::Result& result) {
  v1::WorkerMessage message;
  *message.mutable_result() = result;
  Send(message);
}

void ScriptedWorker::SendFailure(const v1::LeaseId& id, const std::string& message) {
  v1::WorkerMessage wrapped;
  *wrapped.mutable_failure()->mutable_id() = id;
  wrapped.mutable_failure()->set_code("INTERNAL");
  wrapped.mutable_failure()->set_message(message);
  Send(wrapped);
}

void ScriptedWorker::Heartbeat(const std::vector<v1::LeaseId>& held) {
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  for (const v1::LeaseId& id : held) *message.mutable_heartbeat()->add_held() = id;
  Send(message);
}

void ScriptedWorker::Break() { context_.TryCancel(); }

grpc::Status ScriptedWorker::Wait() {
  std::unique_lock lock(mutex_);
  EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [this] { return over_; }));
  return status_.value_or(grpc::Status::CANCELLED);
}

}  // namespace oqat::server
