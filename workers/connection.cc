#include "workers/connection.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "rpc/status.h"

namespace oqat::workers {
namespace {

constexpr const char* kVersion = "0.1.0";
constexpr double kDefaultHeartbeatSeconds = 5;
constexpr std::chrono::seconds kGoodbyePatience{5};

std::chrono::steady_clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

std::string HostName() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

const v1::LeaseId& IdOf(const v1::WorkerMessage& message) {
  return message.has_result() ? message.result().id() : message.failure().id();
}

bool Same(const v1::LeaseId& a, const v1::LeaseId& b) {
  return a.lease() == b.lease() && a.attempt() == b.attempt();
}

// Workers that lose one coordinator together should not come back together.
std::uint64_t JitterSeed(const std::string& worker_id) {
  return std::stoull(Sha256Hex(worker_id).substr(0, 16), nullptr, 16);
}

}  // namespace

// One call of Connect. Its fields are guarded by the connection's mutex, except `call`.
struct Connection::Stream {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> call;
  std::deque<v1::WorkerMessage> outbox;
  std::optional<v1::WorkerMessage> goodbye;  ///< sent when the outbox is empty; then we are done
  bool broken = false;
  bool welcome = false;
  double heartbeat_seconds = kDefaultHeartbeatSeconds;
};

Connection::Connection(ConnectionOptions options, const std::shared_ptr<grpc::Channel>& channel,
                       ConnectionHandler& handler)
    : options_(std::move(options)), stub_(v1::WorkerService::NewStub(channel)), handler_(handler) {}

Connection::~Connection() { Stop("", 0); }

void Connection::Start() {
  thread_ = std::jthread([this] { Run(); });
}

void Connection::Report(v1::WorkerMessage message) {
  const std::lock_guard lock(mutex_);
  if (stream_ != nullptr) stream_->outbox.push_back(message);
  unacknowledged_.push_back(std::move(message));
  changed_.notify_all();
}

std::size_t Connection::unacknowledged() const {
  const std::lock_guard lock(mutex_);
  return unacknowledged_.size();
}

bool Connection::WaitUntilAcknowledged(double seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, Seconds(seconds), [&] { return unacknowledged_.empty(); });
}

void Connection::Leave(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (stream_ == nullptr || stream_->goodbye) return;
  leaving_ = true;
  stream_->goodbye.emplace().mutable_goodbye()->set_reason(reason);
  changed_.notify_all();
}

void Connection::Stop(const std::string& reason, double seconds) {
  if (!thread_.joinable()) return;
  if (seconds > 0) Leave(reason);
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, Seconds(seconds), [&] { return stream_ == nullptr; });
    if (stream_ != nullptr) stream_->context.TryCancel();
  }
  thread_.join();
}

void Connection::Run() {
  RandomStream jitter(JitterSeed(options_.worker_id), "worker.backoff");
  double retry = options_.first_retry_seconds;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    if (RunStream()) retry = options_.first_retry_seconds;
    std::unique_lock lock(mutex_);
    // One that drains us does not want us back at once.
    if (std::exchange(leaving_, false)) retry = options_.last_retry_seconds;
    const double wait = retry * (0.75 + 0.5 * jitter.Uniform());
    changed_.wait_for(lock, Seconds(wait), [&] { return stopping_; });
    retry = std::min(2 * retry, options_.last_retry_seconds);
  }
}

bool Connection::RunStream() {
  Stream stream;
  v1::WorkerMessage hello;
  v1::Hello& greeting = *hello.mutable_hello();
  greeting.set_worker_id(options_.worker_id);
  greeting.set_engine(options_.engine);
  greeting.set_cpu(options_.cpu);
  greeting.set_version(kVersion);
  greeting.set_host(HostName());
  greeting.set_slots(options_.slots);
  for (v1::LeaseId& id : handler_.HeldLeases()) *greeting.add_held() = std::move(id);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    stream.outbox.push_back(std::move(hello));
    stream.outbox.insert(stream.outbox.end(), unacknowledged_.begin(), unacknowledged_.end());
    stream_ = &stream;
  }
  stream.call = stub_->Connect(&stream.context);
  bool welcome = false;
  {
    std::jthread writer([&] { Write(stream); });
    Read(stream);
    const std::lock_guard lock(mutex_);
    stream.broken = true;
    welcome = stream.welcome;
    changed_.notify_all();
  }
  const grpc::Status status = stream.call->Finish();
  {
    const std::lock_guard lock(mutex_);
    stream_ = nullptr;
    changed_.notify_all();
  }
  LogLost(status, welcome);
  return welcome;
}

void Connection::Write(Stream& stream) {
  const Clock::time_point began = Clock::now();
  Clock::time_point last_beat = began;
  while (true) {
    v1::WorkerMessage message;
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      const auto beat = [&] { return last_beat + Seconds(stream.heartbeat_seconds); };
      const auto patience = began + Seconds(options_.welcome_timeout_seconds);
      const auto urgent = [&] {
        return stream.broken || !stream.outbox.empty() || stream.goodbye.has_value();
      };
      // The welcome changes the interval; it notifies, and `beat` is computed anew.
      while (!urgent() && Clock::now() < beat()) {
        if (!stream.welcome && Clock::now() >= patience) {
          stream.context.TryCancel();
          return;
        }
        changed_.wait_until(lock, stream.welcome ? beat() : std::min(beat(), patience));
      }
      if (stream.broken) return;
      if (!stream.outbox.empty()) {
        message = std::move(stream.outbox.front());
        stream.outbox.pop_front();
      } else if (stream.goodbye) {
        message = *stream.goodbye;
        last = true;
      }
    }
    if (message.kind_case() == v1::WorkerMessage::KIND_NOT_SET) {
      for (v1::LeaseId& id : handler_.HeldLeases()) {
        *message.mutable_heartbeat()->add_held() = std::move(id);
      }
      message.mutable_heartbeat()->set_progress(handler_.Progress());
      last_beat = Clock::now();
    }
    if (!stream.call->Write(message)) return;  // the reader learns of it, too
    if (last) {
      stream.call->WritesDone();
      // The coordinator ends the stream now; one that does not is left.
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, kGoodbyePatience, [&] { return stream.broken; })) {
        stream.context.TryCancel();
      }
      return;
    }
  }
}

void Connection::Read(Stream& stream) {
  v1::CoordinatorMessage message;
  while (stream.call->Read(&message)) {
    switch (message.kind_case()) {
      case v1::CoordinatorMessage::kWelcome: {
        {
          const std::lock_guard lock(mutex_);
          stream.welcome = true;
          const double beat = message.welcome().heartbeat_seconds();
          stream.heartbeat_seconds =
              beat > 0 ? std::clamp(beat, 0.05, 60.0) : kDefaultHeartbeatSeconds;
          changed_.notify_all();
        }
        complained_ = false;
        spdlog::info("connected to coordinator {} (instance {}) as {}", options_.coordinator,
                     message.welcome().instance_id(), options_.worker_id);
        handler_.OnConnected();
        break;
      }
      case v1::CoordinatorMessage::kLease: handler_.OnLease(message.lease()); break;
      case v1::CoordinatorMessage::kCancel: handler_.OnCancel(message.cancel().id()); break;
      case v1::CoordinatorMessage::kAck: Acknowledge(message.ack().id()); break;
      case v1::CoordinatorMessage::kDrain: handler_.OnDrain(); break;
      case v1::CoordinatorMessage::KIND_NOT_SET: break;  // of a newer version; not for us
    }
  }
}

void Connection::Acknowledge(const v1::LeaseId& id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(unacknowledged_, [&](const v1::WorkerMessage& m) { return Same(IdOf(m), id); });
  changed_.notify_all();
}

void Connection::LogLost(const grpc::Status& status, bool was_welcome) {
  bool ours = false;
  {
    const std::lock_guard lock(mutex_);
    ours = leaving_ || stopping_;
  }
  const std::string reason = status.ok() ? "it ended the stream"
                                         : std::string(CodeName(rpc::FromStatus(status).code())) +
                                               ": " + status.error_message();
  const Clock::time_point now = Clock::now();
  if (ours) {
    if (was_welcome) spdlog::info("left coordinator {}", options_.coordinator);
  } else if (was_welcome) {
    spdlog::warn("lost coordinator {}: {}; reconnecting", options_.coordinator, reason);
    last_complaint_ = now;
    complained_ = true;
  } else if (!complained_ || now - last_complaint_ >= Seconds(options_.complain_seconds)) {
    spdlog::warn("cannot reach coordinator {}: {}; still trying", options_.coordinator, reason);
    last_complaint_ = now;
    complained_ = true;
  }
}

}  // namespace oqat::workers
