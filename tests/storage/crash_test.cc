#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/random.h"
#include "storage/async_store.h"
#include "tests/storage/support.h"

namespace oqat::storage {
namespace {

constexpr int kCandidates = 3;

/// What a coordinator does, as fast as it can: rounds, results and events, each acknowledged
/// through `pipe` by the number of its round after the commit. Runs until it is killed.
[[noreturn]] void WriteUntilKilled(const std::string& path, int pipe) {
  try {
    auto store = OpenSqliteStore({path});
    const auto rounds = store->ListRounds("s1");
    std::int64_t round = rounds.empty() ? 0 : rounds.back().round + 1;
    AsyncStore async(*store, [](std::function<void()> run) { run(); });
    for (;; ++round) {
      async.Submit(
          [round](Store& to) {
            to.InsertRound(SampleRound("s1", round, kCandidates));
            for (int i = 0; i < kCandidates; ++i) to.RecordResult(SampleResult("s1", round, i));
            to.AppendEvent({"s1", 0, round, "round", std::string(500, 'x')});
          },
          [round, pipe](const std::optional<Error>& error) {
            if (error || write(pipe, &round, sizeof round) != sizeof round) _exit(3);
          });
      while (async.pending() > 20) std::this_thread::yield();
    }
  } catch (const std::exception&) {
    _exit(2);
  }
}

TEST(CrashTest, WhatWasAcknowledgedSurvivesKill9) {
  TempFolder folder;
  const std::string path = folder.File("oqat.db");
  OpenSqliteStore({path})->InsertSearch(SampleSearch("s1"));
  RandomStream random(20240607, "storage.crash");
  std::int64_t acknowledged = -1;
  for (int life = 0; life < 6; ++life) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      WriteUntilKilled(path, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    // Killed after a random number of acknowledgements and then some, so that it is amid a write.
    const std::uint64_t lifetime = 1 + random.Below(60);
    const auto extra = std::chrono::microseconds(random.Below(5000));
    std::int64_t round = 0;
    for (std::uint64_t seen = 0; read(pipe_ends[0], &round, sizeof round) == sizeof round; ++seen) {
      EXPECT_EQ(round, acknowledged + 1);
      acknowledged = round;
      if (seen + 1 == lifetime) {
        std::this_thread::sleep_for(extra);
        kill(child, SIGKILL);
      }
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);

    auto store = OpenSqliteStore({path});  // the lock died with its owner
    const auto rounds = store->ListRounds("s1");
    ASSERT_GE(static_cast<std::int64_t>(rounds.size()), acknowledged + 1);
    for (std::size_t i = 0; i < rounds.size(); ++i) {
      ASSERT_EQ(rounds[i], SampleRound("s1", static_cast<std::int64_t>(i), kCandidates));
    }
    // No half transactions, whether they were acknowledged or not.
    EXPECT_EQ(store->ListResults("s1").size(), rounds.size() * kCandidates);
    EXPECT_EQ(store->ListEvents("s1", 0, Store::kNoLimit).size(), rounds.size());
    acknowledged = static_cast<std::int64_t>(rounds.size()) - 1;
  }
}

}  // namespace
}  // namespace oqat::storage
