// SPDX-License-Identifier: Apache-2.0
#include "server/watch_call.h"

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "rpc/names.h"
#include "rpc/status.h"
#include "server/view_convert.h"

namespace oqat::server {
namespace {

constexpr std::int64_t kEventsPerRead = 64;

// Lives on the loop; gRPC's callbacks only post to it. gRPC uses the reactor until OnDone, posts
// in flight may be later: the object holds itself until the first and each post holds it too.
class WatchCall : public grpc::ServerWriteReactor<v1::SearchEvent>,
                  public std::enable_shared_from_this<WatchCall> {
 public:
  WatchCall(Loop& loop, SearchManager& searches) : loop_(loop), searches_(searches) {}

  void Start(const v1::WatchSearchRequest& request) {
    self_ = shared_from_this();
    loop_.Post([self = self_, request] {
      try {
        self->Begin(request);
      } catch (...) {
        self->End(rpc::CurrentExceptionStatus());
      }
    });
  }

  void OnWriteDone(bool ok) override {
    loop_.Post([self = shared_from_this(), ok] {
      self->writing_ = false;
      if (ok) {
        self->Pump();
      } else {
        self->End(grpc::Status::CANCELLED);
      }
    });
  }

  void OnCancel() override {
    loop_.Post([self = shared_from_this()] { self->End(grpc::Status::CANCELLED); });
  }

  void OnDone() override {
    loop_.Post([self = std::move(self_)] {
      if (self->subscription_ != 0) self->searches_.Unsubscribe(self->subscription_);
    });
  }

 private:
  void Begin(const v1::WatchSearchRequest& request) {
    id_ = rpc::ParseSearchName(request.name(), "name");
    after_ = request.after_sequence();
    if (after_ < 0) {
      throw InvalidField("after_sequence", std::to_string(after_),
                         "0 (from the beginning) or more");
    }
    // Subscribed first: what is committed while we read is not missed.
    subscription_ = searches_.Subscribe(id_, [this](bool workers) {
      (workers ? workers_changed_ : more_) = true;
      Pump();
    });
    Pump();
  }

  void End(const grpc::Status& status) {
    if (ended_) return;
    ended_ = true;
    Finish(status);
  }

  // Writes what is at hand, else reads on, else waits to be poked.
  void Pump() {
    if (ended_ || writing_ || reading_) return;
    if (events_.empty() && workers_changed_) {
      workers_changed_ = false;
      events_.push_back(searches_.WorkersEvent(id_));
    }
    if (events_.empty() && !more_) return;
    reading_ = true;
    if (events_.empty()) {
      more_ = false;
      searches_.Events(id_, after_, kEventsPerRead,
                       [self = shared_from_this()](const std::optional<Error>& error,
                                                   std::vector<EventView> events) {
                         self->OnEvents(error, std::move(events));
                       });
    } else {
      searches_.Get(id_, [self = shared_from_this()](const std::optional<Error>& error,
                                                     const SearchView& view) {
        self->reading_ = false;
        if (error) return self->End(rpc::ToStatus(*error));
        self->Write(view);
      });
    }
  }

  void OnEvents(const std::optional<Error>& error, std::vector<EventView> events) {
    if (error) {
      reading_ = false;
      return End(rpc::ToStatus(*error));
    }
    if (!events.empty()) {
      more_ = true;  // perhaps: the next read tells
      after_ = events.back().sequence;
      for (EventView& event : events) events_.push_back(std::move(event));
      reading_ = false;
      return Pump();
    }
    // All is told. Nothing follows the end of a search, and a live one says who works on it.
    searches_.Get(id_, [self = shared_from_this()](const std::optional<Error>& failure,
                                                   const SearchView& view) {
      self->reading_ = false;
      if (failure) return self->End(rpc::ToStatus(*failure));
      if (HasEnded(view.state) && !self->more_) return self->End(grpc::Status::OK);
      if (!self->told_workers_) {
        self->told_workers_ = true;
        self->workers_changed_ = true;
      }
      self->Pump();
    });
  }

  void Write(const SearchView& view) {
    if (ended_) return;
    message_ = ToProto(events_.front(), view);
    events_.pop_front();
    writing_ = true;
    StartWrite(&message_);
  }

  Loop& loop_;
  SearchManager& searches_;
  std::shared_ptr<WatchCall> self_;  // until OnDone
  std::string id_;
  std::int64_t after_ = 0;
  std::uint64_t subscription_ = 0;
  std::deque<EventView> events_;  // read and not written
  v1::SearchEvent message_;       // being written
  bool writing_ = false, reading_ = false, ended_ = false;
  bool more_ = true;  // there may be events that were not read
  bool workers_changed_ = false, told_workers_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::SearchEvent>* StartWatch(Loop& loop, SearchManager& searches,
                                                      const v1::WatchSearchRequest& request) {
  auto call = std::make_shared<WatchCall>(loop, searches);
  call->Start(request);
  return call.get();
}

}  // namespace oqat::server
