// SPDX-License-Identifier: Apache-2.0
#include "server/lease_table.h"

#include <gmock/gmock.h>

namespace oqat::server {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

const LeaseTable::Time kStart{};
const LeaseTable::Time kLater = kStart + seconds(10);

// Every search may be served by all of them.
LeaseTable::Peers All(const std::set<std::string>& connected) {
  return [connected](const std::string&) { return &connected; };
}

std::optional<TaskId> Grant(LeaseTable& table, SessionId session = 1,
                            const std::string& worker = "w",
                            const std::set<std::string>& connected = {"w"}) {
  const auto lease = table.Grant(session, worker, All(connected), kLater);
  return lease ? std::optional(lease->task) : std::nullopt;
}

TEST(LeaseTable, SearchesTakeTurnsEachInOrder) {
  LeaseTable table(1);
  for (const TaskId& task : {TaskId{"b", 0, 1}, TaskId{"a", 1, 0}, TaskId{"a", 0, 2},
                             TaskId{"b", 0, 0}, TaskId{"a", 0, 1}}) {
    table.Add(task);
  }
  EXPECT_EQ(Grant(table), (TaskId{"a", 0, 1}));
  EXPECT_EQ(Grant(table), (TaskId{"b", 0, 0}));
  EXPECT_EQ(Grant(table), (TaskId{"a", 0, 2}));
  EXPECT_EQ(Grant(table), (TaskId{"b", 0, 1}));
  EXPECT_EQ(Grant(table), (TaskId{"a", 1, 0}));
  EXPECT_EQ(Grant(table), std::nullopt);
  EXPECT_EQ(table.InFlight("a"), 3);
}

TEST(LeaseTable, OnlyTheCurrentLeaseSettles) {
  LeaseTable table(100);
  const TaskId task{"s", 0, 0};
  table.Add(task);
  const auto first = table.Grant(1, "w", All({"w"}), kLater);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->attempt, 100);
  EXPECT_THAT(table.Return(1, "w", task, first->attempt, false), Optional(0));
  const auto second = table.Grant(2, "v", All({"w", "v"}), kLater);
  ASSERT_TRUE(second);
  EXPECT_GT(second->attempt, first->attempt);
  EXPECT_FALSE(table.Settle(1, task, first->attempt));
  EXPECT_FALSE(table.Settle(1, task, second->attempt));  // another session's
  EXPECT_FALSE(table.Renew(1, task, first->attempt, kLater));
  EXPECT_EQ(table.Return(1, "w", task, first->attempt, true), std::nullopt);
  EXPECT_TRUE(table.Settle(2, task, second->attempt));
  EXPECT_FALSE(table.Settle(2, task, second->attempt));
  EXPECT_EQ(table.InFlight("s"), 0);
}

TEST(LeaseTable, ReturnedCandidatesComeFirstAgain) {
  LeaseTable table(1);
  for (int i = 0; i < 3; ++i) table.Add({"s", 0, i});
  const auto first = table.Grant(1, "w", All({"w"}), kLater);
  ASSERT_TRUE(first);
  table.Return(1, "w", first->task, first->attempt, false);
  EXPECT_EQ(Grant(table), (TaskId{"s", 0, 0}));
}

TEST(LeaseTable, FailedCandidatesGoToAnotherWorkerIfThereIsOne) {
  LeaseTable table(1);
  table.Add({"s", 0, 0});
  const auto lease = table.Grant(1, "bad", All({"bad", "good"}), kLater);
  ASSERT_TRUE(lease);
  EXPECT_THAT(table.Return(1, "bad", lease->task, lease->attempt, true), Optional(1));
  EXPECT_EQ(Grant(table, 1, "bad", {"bad", "good"}), std::nullopt);
  EXPECT_EQ(Grant(table, 2, "good", {"bad", "good"}), (TaskId{"s", 0, 0}));
}

TEST(LeaseTable, ALoneWorkerTriesAgainAndStrikesAddUp) {
  LeaseTable table(1);
  table.Add({"s", 0, 0});
  for (int strike = 1; strike <= 3; ++strike) {
    const auto lease = table.Grant(1, "w", All({"w"}), kLater);
    ASSERT_TRUE(lease);
    EXPECT_THAT(table.Return(1, "w", lease->task, lease->attempt, true), Optional(strike));
  }
  table.Drop({"s", 0, 0});
  EXPECT_EQ(Grant(table), std::nullopt);
}

TEST(LeaseTable, AWorkerThatComesBackKeepsItsLeaseAndIsForgiven) {
  LeaseTable table(1);
  const TaskId task{"s", 0, 0};
  table.Add(task);
  const auto lease = table.Grant(1, "w", All({"w"}), kLater);
  ASSERT_TRUE(lease);
  table.Return(1, "w", task, lease->attempt, true);
  EXPECT_TRUE(table.Adopt(2, "w", task, lease->attempt, kLater));
  EXPECT_EQ(Grant(table), std::nullopt);  // it is out
  EXPECT_THAT(table.Return(2, "w", task, lease->attempt, false), Optional(0));
  ASSERT_TRUE(Grant(table, 3, "v", {"v", "w"}));
  EXPECT_FALSE(table.Adopt(4, "w", task, lease->attempt, kLater));  // somebody else has it
  EXPECT_FALSE(table.Adopt(4, "w", {"unknown", 0, 0}, 1, kLater));
}

TEST(LeaseTable, LeasesExpireUnlessRenewed) {
  LeaseTable table(1);
  table.Add({"s", 0, 0});
  table.Add({"s", 0, 1});
  const auto a = table.Grant(1, "w", All({"w"}), kLater);
  const auto b = table.Grant(1, "w", All({"w"}), kLater);
  ASSERT_TRUE(a && b);
  EXPECT_THAT(table.Expired(kLater - seconds(1)), IsEmpty());
  EXPECT_TRUE(table.Renew(1, b->task, b->attempt, kLater + seconds(5)));
  const auto expired = table.Expired(kLater);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].task, a->task);
  EXPECT_EQ(table.HeldBy(1).size(), 2U);
}

TEST(LeaseTable, PausedSearchesGrantNothingAndRemovedOnesAreGone) {
  LeaseTable table(1);
  table.Add({"s", 0, 0});
  table.Add({"s", 0, 1});
  const auto out = table.Grant(1, "w", All({"w"}), kLater);
  ASSERT_TRUE(out);
  table.SetPaused("s", true);
  EXPECT_EQ(Grant(table), std::nullopt);
  table.SetPaused("s", false);
  const auto removed = table.RemoveSearch("s");
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed[0].task, out->task);
  EXPECT_EQ(Grant(table), std::nullopt);
  EXPECT_FALSE(table.Settle(1, out->task, out->attempt));
}

}  // namespace
}  // namespace oqat::server
