// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "base/error.h"

namespace oqat::server {

/// How an asynchronous call answers: an error, or nothing and the value. Called on the loop.
template <typename T>
using Callback = std::function<void(const std::optional<Error>&, T)>;

/// Tells milliseconds since the Unix epoch.
using Clock = std::function<std::int64_t()>;

/// The coordinator's one thread of state (see docs/THREADING.md). What runs on it never waits for a
/// disk, a peer or a computation.
class Loop {
 public:
  Loop();
  /// Drops what has not run yet; call Stop first where that matters.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// From any thread; keeps the order of calls. An exception that leaves `task` is a bug: it ends
  /// the process, and the next start goes on from what was committed.
  void Post(std::function<void()> task);
  /// Runs `task` once, `delay` from now. From any thread.
  void After(std::chrono::milliseconds delay, std::function<void()> task);
  /// Posts `task` and waits until it has run. Not from the loop itself.
  void RunAndWait(const std::function<void()>& task);
  /// Ends the thread after the task in progress.
  void Stop();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

/// Threads for what the loop must not wait for: computations and files.
class Pool {
 public:
  explicit Pool(int threads) : threads_(static_cast<std::size_t>(threads)) {}
  ~Pool() { Stop(); }
  void Post(std::function<void()> task);
  /// Waits for what runs; drops what has not begun.
  void Stop();

  /// Runs `task` here and hands its value, or its error, to `done` on `loop`.
  template <typename T>
  void Compute(Loop& loop, std::function<T()> task, Callback<T> done) {
    Post([&loop, task = std::move(task), done = std::move(done)]() mutable {
      std::optional<Error> error;
      T value{};
      try {
        value = task();
      } catch (const Error& thrown) {
        error = thrown;
      } catch (const std::exception& thrown) {
        error = Error(Code::kInternal, thrown.what());
      }
      task = nullptr;  // what it held is let go before `done` hears of it
      loop.Post([done = std::move(done), error = std::move(error),
                 value = std::move(value)]() mutable { done(error, std::move(value)); });
    });
  }

 private:
  boost::asio::thread_pool threads_;
};

}  // namespace oqat::server
