#include "clients/cli/watch.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/progress.h"

namespace oqat::clients {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 200ms;       // the bar is redrawn, signals are noticed
constexpr auto kReconnect = 500ms;  // between attempts

volatile std::sig_atomic_t interrupted = 0;

// SIGINT and SIGTERM set `interrupted` for as long as this lives.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    ::sigaction(SIGINT, &action, &old_int_);
    ::sigaction(SIGTERM, &action, &old_term_);
  }
  ~InterruptGuard() {
    ::sigaction(SIGINT, &old_int_, nullptr);
    ::sigaction(SIGTERM, &old_term_, nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
};

// One WatchSearch call, read by a thread of its own so that the caller can redraw meanwhile.
class EventStream {
 public:
  EventStream(Connection& connection, const std::string& name, std::int64_t after_sequence) {
    v1::WatchSearchRequest request;
    request.set_name(name);
    request.set_after_sequence(after_sequence);
    reader_ = std::jthread([this, &connection, request] { Read(connection, request); });
  }
  ~EventStream() { context_.TryCancel(); }

  /// The next event; nothing after `kTick` without one. `ended` is set once the stream is over and
  /// all its events were taken.
  std::optional<v1::SearchEvent> Next() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kTick, [this] { return !events_.empty() || status_; });
    if (events_.empty()) {
      ended = status_;
      return std::nullopt;
    }
    v1::SearchEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  std::optional<grpc::Status> ended;

 private:
  void Read(Connection& connection, const v1::WatchSearchRequest& request) {
    const auto stream = connection.searches().WatchSearch(&context_, request);
    v1::SearchEvent event;
    while (stream->Read(&event)) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      changed_.notify_one();
    }
    const grpc::Status status = stream->Finish();
    const std::lock_guard lock(mutex_);
    status_ = status;
    changed_.notify_one();
  }

  grpc::ClientContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<v1::SearchEvent> events_;  // guarded by mutex_
  std::optional<grpc::Status> status_;  // guarded by mutex_
  std::jthread reader_;                 // last: joined before the rest is gone
};

// The bar of one search. Not on a terminal, a note is printed the moment it changes: the plain
// lines of ProgressBar come ten seconds apart.
class SearchBar {
 public:
  SearchBar(const std::string& title, bool quiet) : quiet_(quiet), bar_(title) {}

  void Show(const v1::Search& search, const std::string& trouble) {
    if (quiet_) return;
    const v1::SearchProgress& p = search.progress();
    std::string note = trouble;
    if (note.empty()) note = p.note();
    if (note.empty() && search.state() == v1::Search::PAUSED) note = "paused";
    if (!terminal_ && note != last_note_ && !note.empty()) {
      std::fprintf(stderr, "%s\n", note.c_str());
    }
    last_note_ = note;
    if (note.empty()) {
      note = "front " + std::to_string(p.front_size()) + ", workers " +
             std::to_string(p.connected_workers());
    }
    bar_.Update(p.evaluations_done() + p.final_done(), p.evaluations_total() + p.final_total(),
                note);
  }
  void Finish() { bar_.Finish(); }

 private:
  bool quiet_;
  ProgressBar bar_;
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::string last_note_;
};

bool MayReconnect(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         // A slow watcher is dropped and told to resume.
         status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         // What a dying server or proxy may send in place of UNAVAILABLE.
         status.error_code() == grpc::StatusCode::CANCELLED ||
         status.error_code() == grpc::StatusCode::INTERNAL;
}

}  // namespace

bool HasEnded(v1::Search::State state) {
  return state == v1::Search::SUCCEEDED || state == v1::Search::CANCELLED ||
         state == v1::Search::FAILED;
}

v1::Search WatchSearch(Connection& connection, const WatchOptions& options) {
  const std::string id = IdOf(options.name);
  v1::GetSearchRequest get;
  get.set_name(options.name);
  const auto fetch = [&] {
    return connection.Call(&v1::SearchService::Stub::GetSearch, connection.searches(), get);
  };
  // Before anything is drawn: an unknown search or an unreachable server is an error at once.
  v1::Search search = fetch();

  const InterruptGuard guard;
  SearchBar bar("search " + id, options.quiet);
  std::int64_t last_sequence = 0;
  std::string trouble;
  const auto check_interrupted = [&] {
    if (!interrupted) return;
    bar.Finish();
    throw Error(Code::kCancelled, "interrupted: the search goes on; `oqat search watch " + id +
                                      "` follows it again, `oqat search cancel " + id +
                                      "` ends it");
  };

  while (true) {
    EventStream stream(connection, options.name, last_sequence);
    while (!stream.ended) {
      check_interrupted();
      if (const std::optional<v1::SearchEvent> event = stream.Next()) {
        trouble.clear();
        if (event->has_search()) search = event->search();
        if (event->sequence() > last_sequence) {
          last_sequence = event->sequence();
          if (options.on_event) options.on_event(*event);
        }
      }
      bar.Show(search, trouble);
    }
    // The stream of an ended search closes in good order; its last word is the server's.
    if (stream.ended->ok()) {
      try {
        search = fetch();
        if (HasEnded(search.state())) break;
      } catch (const Error& error) {
        if (error.code() != Code::kUnavailable && error.code() != Code::kDeadlineExceeded) throw;
      }
    } else if (!MayReconnect(*stream.ended)) {
      connection.Check(*stream.ended);
    }
    trouble = "connection lost, trying again";
    const auto again = std::chrono::steady_clock::now() + kReconnect;
    while (std::chrono::steady_clock::now() < again) {
      check_interrupted();
      bar.Show(search, trouble);
      std::this_thread::sleep_for(50ms);
    }
  }
  bar.Show(search, "");
  bar.Finish();
  return search;
}

}  // namespace oqat::clients
