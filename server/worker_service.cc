// SPDX-License-Identifier: Apache-2.0
#include "server/worker_service.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>

#include "rpc/convert.h"
#include "rpc/status.h"

namespace oqat::server {
namespace {

// A worker that sends without reading is not read from while so much waits for it.
constexpr std::size_t kMaxUnsent = 4096;
constexpr std::size_t kMaxFailureBytes = 1000;

WorkerPool::Time Now() { return std::chrono::steady_clock::now(); }

LeaseName FromProto(const v1::LeaseId& id) { return {id.lease(), id.attempt()}; }

template <typename List>
std::vector<LeaseName> NamesOf(const List& ids) {
  std::vector<LeaseName> names;
  for (const v1::LeaseId& id : ids) names.push_back(FromProto(id));
  return names;
}

void Fill(const LeaseName& name, v1::LeaseId& id) {
  id.set_lease(name.lease);
  id.set_attempt(name.attempt);
}

void Fill(const artifacts::ArtifactRef& ref, v1::ArtifactRef& message) {
  message.set_sha256(ref.sha256);
  message.set_size(ref.size);
}

// What a worker says of a failure, fit for logs and tables.
std::string OneLine(std::string text) {
  if (text.size() > kMaxFailureBytes) {
    std::size_t end = kMaxFailureBytes;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole letters only
    text.resize(end);
  }
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

// Lives on the loop; gRPC's callbacks only post to it. See WatchCall for the ownership.
class WorkerCall : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>,
                   public WorkerLink,
                   public std::enable_shared_from_this<WorkerCall> {
 public:
  WorkerCall(Loop& loop, WorkerPool& workers) : loop_(loop), workers_(workers) {}

  void Start() {
    self_ = shared_from_this();
    loop_.Post([self = self_] { self->session_ = self->workers_.Connect(self); });
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    loop_.Post([self = shared_from_this(), ok] {
      if (!ok) return self->Lost();
      self->Handle();
      self->ReadOn();
    });
  }

  void OnWriteDone(bool ok) override {
    loop_.Post([self = shared_from_this(), ok] {
      self->writing_ = false;
      if (!ok) return self->Lost();
      self->unsent_.pop_front();
      self->WriteOn();
      if (!self->read_pending_) self->ReadOn();
    });
  }

  void OnCancel() override {
    loop_.Post([self = shared_from_this()] { self->Lost(); });
  }

  void OnDone() override {
    loop_.Post([self = std::move(self_)] { self->Leave(); });
  }

  void SendWelcome(const std::string& instance_id, double heartbeat_seconds) override {
    v1::CoordinatorMessage message;
    message.mutable_welcome()->set_instance_id(instance_id);
    message.mutable_welcome()->set_heartbeat_seconds(heartbeat_seconds);
    Send(std::move(message));
  }

  void SendLease(const LeaseName& name, const LeaseOrder& order) override {
    v1::CoordinatorMessage message;
    v1::Lease& lease = *message.mutable_lease();
    Fill(name, *lease.mutable_id());
    lease.set_space_json(order.space_json);
    *lease.mutable_architecture() = rpc::ToProto(order.architecture);
    Fill(order.checkpoint, *lease.mutable_checkpoint());
    Fill(order.evaluation_set, *lease.mutable_evaluation_set());
    v1::Protocol& protocol = *lease.mutable_protocol();
    protocol.set_split(order.split);
    protocol.set_calibration_images(order.calibration_images);
    protocol.set_images(order.images);
    protocol.set_batch_size(order.batch_size);
    protocol.set_engine(order.engine);
    protocol.set_latency(order.latency);
    if (order.stop_below) protocol.set_stop_below(*order.stop_below);
    Send(std::move(message));
  }

  void SendCancel(const LeaseName& name) override {
    v1::CoordinatorMessage message;
    Fill(name, *message.mutable_cancel()->mutable_id());
    Send(std::move(message));
  }

  void SendAck(const LeaseName& name) override {
    v1::CoordinatorMessage message;
    Fill(name, *message.mutable_ack()->mutable_id());
    Send(std::move(message));
  }

  void Close(const std::optional<Error>& why) override {
    if (closing_) return;
    closing_ = true;
    last_word_ = why ? rpc::ToStatus(*why) : grpc::Status::OK;
    WriteOn();
  }

 private:
  void Handle() {
    const WorkerPool::Time now = Now();
    switch (incoming_.kind_case()) {
      case v1::WorkerMessage::kHello: {
        const v1::Hello& hello = incoming_.hello();
        workers_.Hello(session_,
                       {hello.worker_id(), hello.engine(), hello.version(), hello.host(),
                        hello.slots(), NamesOf(hello.held()), hello.cpu()},
                       now);
        break;
      }
      case v1::WorkerMessage::kResult: {
        const v1::Result& result = incoming_.result();
        try {
          workers_.Result(session_, FromProto(result.id()),
                          {rpc::MetricsFromProto(result.metrics(), "metrics"), result.seconds(),
                           result.stopped_after()},
                          now);
        } catch (const Error& error) {
          workers_.Failure(session_, FromProto(result.id()), error.what(), now);
        }
        break;
      }
      case v1::WorkerMessage::kFailure: {
        const v1::Failure& failure = incoming_.failure();
        workers_.Failure(session_, FromProto(failure.id()),
                         OneLine(failure.code() + ": " + failure.message()), now);
        break;
      }
      case v1::WorkerMessage::kHeartbeat:
        workers_.Heartbeat(session_, NamesOf(incoming_.heartbeat().held()), now);
        break;
      case v1::WorkerMessage::kGoodbye: workers_.Goodbye(session_, now); break;
      case v1::WorkerMessage::KIND_NOT_SET:
        Close(Error(Code::kInvalidArgument,
                    "WorkerMessage.kind: is not set; allowed: hello, result, failure, heartbeat, "
                    "goodbye"));
        break;
    }
  }

  void ReadOn() {
    read_pending_ = !finished_ && unsent_.size() < kMaxUnsent;
    if (read_pending_) StartRead(&incoming_);
  }

  void Send(v1::CoordinatorMessage message) {
    if (closing_ || finished_) return;
    unsent_.push_back(std::move(message));
    WriteOn();
  }

  void WriteOn() {
    if (writing_ || finished_) return;
    if (!unsent_.empty()) {
      writing_ = true;
      StartWrite(&unsent_.front());
    } else if (closing_) {
      finished_ = true;
      Finish(last_word_);
    }
  }

  // The stream is over, or as good as.
  void Lost() {
    read_pending_ = false;
    Leave();
    if (finished_) return;
    finished_ = true;
    Finish(closing_ ? last_word_ : grpc::Status::OK);
  }

  void Leave() {
    if (left_) return;
    left_ = true;
    workers_.Disconnected(session_, Now());
  }

  Loop& loop_;
  WorkerPool& workers_;
  std::shared_ptr<WorkerCall> self_;  // until OnDone
  SessionId session_ = 0;
  v1::WorkerMessage incoming_;  // ours between OnReadDone and the next StartRead
  std::deque<v1::CoordinatorMessage> unsent_;
  grpc::Status last_word_;
  bool read_pending_ = true, writing_ = false;
  bool closing_ = false, finished_ = false, left_ = false;
};

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* WorkerService::Connect(
    grpc::CallbackServerContext* /*context*/) {
  auto call = std::make_shared<WorkerCall>(loop_, workers_);
  call->Start();
  return call.get();
}

}  // namespace oqat::server
