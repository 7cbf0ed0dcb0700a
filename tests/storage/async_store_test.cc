#include "storage/async_store.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <stdexcept>
#include <thread>

#include "tests/storage/support.h"

namespace oqat::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A loop like the coordinator's: functions run in order on the thread that calls RunUntil.
class FakeLoop {
 public:
  AsyncStore::Executor executor() {
    return [this](std::function<void()> function) {
      std::lock_guard lock(mutex_);
      functions_.push_back(std::move(function));
      wake_.notify_one();
    };
  }
  void Run(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::function<void()> function;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !functions_.empty(); });
        function = std::move(functions_.front());
        functions_.pop_front();
      }
      function();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> functions_;
};

/// Callbacks run on the thread of the test, through FakeLoop.
class AsyncStoreTest : public StoreTest {
 protected:
  void SetUp() override {
    Open();
    store->InsertSearch(SampleSearch("s1"));
  }

  /// Keeps the storage thread busy until Release, so that what follows becomes one group.
  void Hold(AsyncStore& async) {
    std::promise<void> started;
    async.Submit(
        [&started, gate = gate_.get_future().share()](Store&) {
          started.set_value();
          gate.wait();
        },
        [](const std::optional<Error>&) {});
    started.get_future().wait();
  }
  void Release() { gate_.set_value(); }

  AsyncStore::Done Note(const std::string& name) {
    return [this, name](const std::optional<Error>& error) {
      log.push_back(name + (error ? " " + std::string(CodeName(error->code())) : ""));
    };
  }

  FakeLoop loop;
  std::vector<std::string> log;  // touched by callbacks only, which run on the test's thread

 private:
  std::promise<void> gate_;
};

TEST_P(AsyncStoreTest, KeepsTheOrderAndCallsBackAfterTheCommit) {
  AsyncStore async(*store, loop.executor());
  const auto caller = std::this_thread::get_id();
  std::vector<std::int64_t> seen;
  for (int i = 0; i < 200; ++i) {
    async.Call<std::int64_t>(
        [i](Store& to) {
          return to.AppendEvent({"s1", 0, i, "e", ""});
        },
        [&, i](const std::optional<Error>& error, std::int64_t sequence) {
          EXPECT_FALSE(error);
          EXPECT_EQ(sequence, i + 1);
          EXPECT_EQ(std::this_thread::get_id(), caller);
          // Outside any transaction now: what is read here is committed.
          EXPECT_EQ(store->ListEvents("s1", i, 1).size(), 1u);
          seen.push_back(sequence);
        });
  }
  loop.Run(200);
  EXPECT_THAT(seen, SizeIs(200));
}

TEST_P(AsyncStoreTest, OneFailingOperationDoesNotFailItsNeighbours) {
  AsyncStore async(*store, loop.executor());
  Hold(async);
  const auto meta = [](const char* key) { return [key](Store& to) { to.PutMeta(key, "1"); }; };
  async.Submit(meta("a"), Note("a"));
  async.Submit([](Store& to) { to.InsertSearch(SampleSearch("s1")); }, Note("duplicate"));
  async.Submit(meta("b"), Note("b"));
  async.Submit(
      [](Store& to) {
        to.PutMeta("half", "1");
        throw std::runtime_error("bug");
      },
      Note("bug"));
  async.Submit(meta("c"), Note("c"));
  EXPECT_EQ(async.pending(), 6u);
  Release();
  loop.Run(6);
  EXPECT_THAT(log, ElementsAre("a", "duplicate ALREADY_EXISTS", "b", "bug INTERNAL", "c"));
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(store->GetMeta(key), "1") << key;
  EXPECT_EQ(store->GetMeta("half"), std::nullopt);
}

TEST_P(AsyncStoreTest, AnOperationThatBreaksTheDiskFailsAlone) {
  Open(400 << 10);
  if (!on_disk()) store->InsertSearch(SampleSearch("s1"));
  {
    AsyncStore async(*store, loop.executor());
    Hold(async);
    async.Submit([](Store& to) { to.PutMeta("a", "1"); }, Note("a"));
    async.Submit([](Store& to) { to.InsertRound(SampleRound("s1", 0, 10'000)); }, Note("huge"));
    async.Submit([](Store& to) { to.PutMeta("b", "1"); }, Note("b"));
    Release();
    loop.Run(4);
  }
  EXPECT_THAT(log, ElementsAre("a", "huge RESOURCE_EXHAUSTED", "b"));
  EXPECT_EQ(store->GetMeta("a"), "1");
  EXPECT_EQ(store->GetMeta("b"), "1");
  EXPECT_THAT(store->ListRounds("s1"), SizeIs(0));
}

TEST_P(AsyncStoreTest, ErrorsReachTheCallbackWithTheirMessage) {
  AsyncStore async(*store, loop.executor());
  std::optional<Error> got;
  async.Call<bool>([](Store& to) { return to.RecordResult(SampleResult("s1", 5, 6)); },
                   [&](const std::optional<Error>& error, bool fresh) {
                     got = error;
                     EXPECT_FALSE(fresh);
                   });
  loop.Run(1);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->code(), Code::kNotFound);
  EXPECT_THAT(got->what(), HasSubstr("search s1, round 5, candidate 6"));
}

TEST_P(AsyncStoreTest, DestroyingItDrainsTheQueue) {
  {
    AsyncStore async(*store, loop.executor());
    for (int i = 0; i < 100; ++i) {
      async.Submit([i](Store& to) { to.AppendEvent({"s1", 0, i, "e", ""}); }, Note("done"));
    }
  }
  EXPECT_THAT(store->ListEvents("s1", 0, 1000), SizeIs(100));
  loop.Run(100);  // every callback was handed over
  EXPECT_THAT(log, SizeIs(100));
}

TEST_P(AsyncStoreTest, ManyThreadsMaySubmit) {
  constexpr int kThreads = 4, kEach = 100;
  {
    AsyncStore async(*store, loop.executor());
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          async.Submit(
              [t, i](Store& to) {
                to.AppendEvent({"s1", 0, i, std::to_string(t), ""});
              },
              Note("done"));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    loop.Run(kThreads * kEach);
  }
  EXPECT_THAT(log, SizeIs(kThreads * kEach));
  std::vector<std::int64_t> next(kThreads, 0);  // each thread's own order is kept
  for (const Event& event : store->ListEvents("s1", 0, 10'000)) {
    EXPECT_EQ(event.time_ms, next[std::stoul(event.type)]++);
  }
  EXPECT_THAT(next, ElementsAre(kEach, kEach, kEach, kEach));
}

INSTANTIATE_TEST_SUITE_P(Backends, AsyncStoreTest, ::testing::Values("file", "memory"),
                         BackendName);

}  // namespace
}  // namespace oqat::storage
