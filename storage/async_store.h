#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/store.h"

namespace oqat::storage {

/// A Store behind a queue, for event loops that must not wait for a disk.
///
/// One storage thread takes everything that is queued, runs it as one transaction, in order, and
/// commits once (group commit): under load the cost of a flush is shared, without load nobody
/// waits. After the commit it hands each operation's callback, in order, to the executor.
///
/// Threads: Submit and Call may be called from any thread and return at once. Operations run on the
/// storage thread; callbacks run wherever the executor runs them.
class AsyncStore {
 public:
  /// Reads and writes through the store it is given. It may run twice (see Submit), so it must
  /// assign what it captured rather than add to it.
  using Operation = std::function<void(Store&)>;
  /// Gets nothing on success: the operation is durable then. Must not throw.
  using Done = std::function<void(const std::optional<Error>&)>;
  /// Runs a function soon, keeping the order of calls, for example by posting it to a loop.
  /// Called on the storage thread; must not throw.
  using Executor = std::function<void(std::function<void()>)>;

  /// `store` must outlive this object.
  AsyncStore(Store& store, Executor executor);
  /// Carries out what is queued, hands over the callbacks, and joins the thread.
  ~AsyncStore();
  AsyncStore(const AsyncStore&) = delete;
  AsyncStore& operator=(const AsyncStore&) = delete;

  /// Queues an operation. If it throws, its own writes are taken back, its callback gets the error
  /// (INTERNAL for exceptions other than Error), and its neighbours are not affected. If the group
  /// as a whole cannot be committed (a full disk), it is rolled back and its operations are
  /// repeated one transaction each, so that only those fail that must.
  void Submit(Operation operation, Done done);

  /// Submit for an operation with a value. On an error `done` gets a default-constructed one.
  template <typename T>
  void Call(std::function<T(Store&)> operation,
            std::function<void(const std::optional<Error>&, T)> done) {
    auto value = std::make_shared<T>();
    Submit([operation = std::move(operation), value](Store& store) { *value = operation(store); },
           [done = std::move(done), value](const std::optional<Error>& error) {
             done(error, error ? T() : std::move(*value));
           });
  }

  /// Operations submitted whose callbacks were not handed over yet: what a caller holds back on.
  std::size_t pending() const;

 private:
  struct Item {
    Operation operation;
    Done done;
    std::optional<Error> error;
  };

  void Loop();
  void RunGroup(std::vector<Item>& items);
  void RunAlone(Item& item);

  Store& store_;
  const Executor executor_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Item> queue_;  // guarded by mutex_
  std::size_t pending_ = 0;  // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  std::thread thread_;       // last: it uses all of the above
};

}  // namespace oqat::storage
