#include "storage/async_store.h"

#include <exception>
#include <string>

namespace oqat::storage {
namespace {

/// Runs `body` and tells how it failed, if it did.
template <typename Body>
std::optional<Error> Attempt(const Body& body) {
  try {
    body();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return Error(Code::kInternal, std::string("storage operation: ") + error.what());
  }
}

}  // namespace

AsyncStore::AsyncStore(Store& store, Executor executor)
    : store_(store), executor_(std::move(executor)), thread_([this] { Loop(); }) {}

AsyncStore::~AsyncStore() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void AsyncStore::Submit(Operation operation, Done done) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({std::move(operation), std::move(done), std::nullopt});
    ++pending_;
  }
  wake_.notify_one();
}

std::size_t AsyncStore::pending() const {
  std::lock_guard lock(mutex_);
  return pending_;
}

void AsyncStore::Loop() {
  for (;;) {
    std::vector<Item> items;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      items.swap(queue_);
    }
    RunGroup(items);
    for (Item& item : items) {
      // The operation's captures end here, on the thread that ran it; the callback's on the loop.
      item.operation = nullptr;
      executor_([done = std::move(item.done), error = std::move(item.error)] { done(error); });
    }
    std::lock_guard lock(mutex_);
    pending_ -= items.size();
  }
}

void AsyncStore::RunGroup(std::vector<Item>& items) {
  if (items.size() > 1) {
    const auto failed = Attempt([&] {
      store_.InTransaction([&] {
        for (Item& item : items) {
          item.error = Attempt([&] { store_.InTransaction([&] { item.operation(store_); }); });
        }
      });
    });
    if (!failed) return;
  }
  for (Item& item : items) RunAlone(item);
}

void AsyncStore::RunAlone(Item& item) {
  item.error = Attempt([&] { store_.InTransaction([&] { item.operation(store_); }); });
}

}  // namespace oqat::storage
