#include <gmock/gmock.h>

#include <stdexcept>
#include <thread>

#include "tests/storage/support.h"

namespace oqat::storage {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class TransactionTest : public StoreTest {
 protected:
  /// Adds events until the store complains; returns how many were accepted.
  int FillUp() {
    const std::string payload(2000, 'x');
    for (int accepted = 0;; ++accepted) {
      try {
        store->AppendEvent({"s1", 0, accepted, "fill", payload});
      } catch (const Error& error) {
        EXPECT_EQ(CodeName(error.code()), "RESOURCE_EXHAUSTED") << error.what();
        return accepted;
      }
    }
  }
};

TEST_P(TransactionTest, KeepsAllOrNothing) {
  store->InTransaction([&] {
    store->InsertSearch(SampleSearch("s1"));
    store->InsertRound(SampleRound("s1", 0));
  });
  EXPECT_THAT(store->ListRounds("s1"), SizeIs(1));
  EXPECT_THROW(store->InTransaction([&] {
    store->RecordResult(SampleResult("s1", 0, 0));
    store->InsertRound(SampleRound("s1", 1));
    throw std::runtime_error("stop");
  }),
               std::runtime_error);
  EXPECT_THAT(store->ListRounds("s1"), SizeIs(1));
  EXPECT_THAT(store->ListResults("s1"), IsEmpty());
  EXPECT_TRUE(store->RecordResult(SampleResult("s1", 0, 0)));
}

TEST_P(TransactionTest, AnInnerOneTakesBackOnlyItsOwnWrites) {
  store->InTransaction([&] {
    store->PutMeta("outer", "1");
    EXPECT_THROW(store->InTransaction([&] {
      store->PutMeta("inner", "1");
      store->InTransaction([&] { store->PutMeta("innermost", "1"); });
      throw std::runtime_error("stop");
    }),
                 std::runtime_error);
    EXPECT_EQ(store->GetMeta("inner"), std::nullopt);
    store->PutMeta("after", "1");
  });
  EXPECT_EQ(store->GetMeta("outer"), "1");
  EXPECT_EQ(store->GetMeta("after"), "1");
  EXPECT_EQ(store->GetMeta("inner"), std::nullopt);
  EXPECT_EQ(store->GetMeta("innermost"), std::nullopt);
}

TEST_P(TransactionTest, ARefusedWriteCanBeCaughtInside) {
  store->InTransaction([&] {
    store->InsertSearch(SampleSearch("s1"));
    EXPECT_CODE(Code::kAlreadyExists, store->InsertSearch(SampleSearch("s1")));
    store->InsertRound(SampleRound("s1", 0));
    EXPECT_CODE(Code::kAlreadyExists, store->InsertRound(SampleRound("s1", 0)));
    EXPECT_CODE(Code::kNotFound, store->RecordResult(SampleResult("s1", 4, 0)));
  });
  EXPECT_THAT(store->ListRounds("s1"), SizeIs(1));
}

TEST_P(TransactionTest, AFullDiskLosesNothingThatWasThere) {
  Open(400 << 10);
  store->InsertSearch(SampleSearch("s1"));
  store->InsertRound(SampleRound("s1", 0));
  const int accepted = FillUp();
  EXPECT_GT(accepted, 10);
  EXPECT_THAT(store->ListEvents("s1", 0, 100000), SizeIs(accepted));
  EXPECT_CODE(Code::kResourceExhausted, store->InsertRound(SampleRound("s1", 1, 2000)));
  EXPECT_THAT(store->ListRounds("s1"), SizeIs(1));
  // Room again: writing goes on.
  if (on_disk()) {
    Open();
    EXPECT_EQ(store->AppendEvent({"s1", 0, 0, "more", std::string(2000, 'x')}), accepted + 1);
  }
}

TEST_P(TransactionTest, AFullDiskCannotBeSweptUnderTheCarpet) {
  Open(400 << 10);
  store->InsertSearch(SampleSearch("s1"));
  FillUp();
  // Big enough that SQLite gives up the transaction or the statement; either way what is reported
  // as durable must be there and what is not must not.
  bool committed = true;
  try {
    store->InTransaction([&] {
      store->PutMeta("before", "1");
      try {
        store->InsertRound(SampleRound("s1", 1, 2000));
      } catch (const Error&) {
      }
      store->PutMeta("after", "1");
    });
  } catch (const Error&) {
    committed = false;
  }
  EXPECT_EQ(store->GetMeta("before").has_value(), committed);
  EXPECT_EQ(store->GetMeta("after").has_value(), committed);
  EXPECT_THAT(store->ListRounds("s1"), IsEmpty());
}

TEST_P(TransactionTest, ThreadsTakeTurns) {
  store->InsertSearch(SampleSearch("s1"));
  constexpr int kThreads = 4, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        store->InTransaction([&] {
          const std::int64_t first = store->AppendEvent({"s1", 0, t, "a", ""});
          EXPECT_EQ(store->AppendEvent({"s1", 0, t, "b", ""}), first + 1);
        });
        EXPECT_EQ(store->ListEvents("s1", 0, 100000).size() % 2, 0u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto events = store->ListEvents("s1", 0, 100000);
  ASSERT_THAT(events, SizeIs(2 * kThreads * kEach));
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].sequence, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(events[i].time_ms, events[i - i % 2].time_ms);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, TransactionTest, ::testing::Values("file", "memory"),
                         BackendName);

}  // namespace
}  // namespace oqat::storage
