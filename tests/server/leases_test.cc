// SPDX-License-Identifier: Apache-2.0
// Workers that come, go, fail and lie; coordinators that are restarted. Real gRPC, real SQLite.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "tests/server/bench.h"

namespace oqat::server {
namespace {

using ::testing::HasSubstr;

// What must not depend on workers: names, architectures and metrics of the front.
std::vector<std::string> Essence(const v1::Front& front) {
  std::vector<std::string> lines;
  for (v1::Evaluation evaluation : front.evaluations()) {
    std::string line = evaluation.name() + " " + evaluation.architecture_key();
    for (const auto* map : {&evaluation.metrics(), &evaluation.test_metrics()}) {
      std::vector<std::string> metrics;
      for (const auto& [name, value] : *map) metrics.push_back(name + "=" + std::to_string(value));
      std::sort(metrics.begin(), metrics.end());
      for (const std::string& metric : metrics) line += " " + metric;
    }
    lines.push_back(line);
  }
  return lines;
}

// The front of the same search as in the tests below, undisturbed.
std::vector<std::string> UndisturbedFront(int evaluations) {
  Bench bench;
  bench.PushHollow();
  const ScriptedWorker worker(bench.address(), "w", 2, Measure);
  EXPECT_TRUE(bench.Create(bench.Request(evaluations)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED) << search.error();
  return Essence(bench.Front("s"));
}

TEST(Search, EndsWithAFrontMeasuredOnTheTestSplit) {
  Bench bench;
  bench.PushHollow();
  const ScriptedWorker worker(bench.address(), "w", 2, Measure);
  ASSERT_TRUE(bench.Create(bench.Request(30)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED) << search.error();
  EXPECT_EQ(search.progress().evaluations_done(), 30);
  EXPECT_EQ(search.progress().rounds(), 8);
  EXPECT_EQ(search.progress().final_done(), search.progress().final_total());
  const v1::Front front = bench.Front("s");
  EXPECT_TRUE(front.final());
  ASSERT_GT(front.evaluations_size(), 1);
  EXPECT_EQ(front.evaluations_size(), search.progress().final_total());
  EXPECT_EQ(front.hypervolume(), search.progress().hypervolume());
  double bitops = 0;
  for (const v1::Evaluation& member : front.evaluations()) {
    EXPECT_GE(member.metrics().at("bitops"), bitops);
    bitops = member.metrics().at("bitops");
    EXPECT_NEAR(member.test_metrics().at("top1"), member.metrics().at("top1") - 0.01, 1e-12);
    EXPECT_EQ(member.worker(), "w");
    EXPECT_EQ(member.seconds(), 0.25);
  }
  const auto all = bench.Evaluations("s");
  EXPECT_EQ(static_cast<int>(all.size()), 30 + front.evaluations_size());
}

TEST(Search, IsTheSameWithOneAndThreeWorkers) {
  Bench bench;
  bench.PushHollow();
  const ScriptedWorker a(bench.address(), "a", 1, Measure);
  const ScriptedWorker b(bench.address(), "b", 2, Measure);
  const ScriptedWorker c(bench.address(), "c", 5, Measure);
  ASSERT_TRUE(bench.Create(bench.Request(40)).ok());
  bench.AwaitEnd("s");
  EXPECT_EQ(Essence(bench.Front("s")), UndisturbedFront(40));
  EXPECT_GT(a.leases(), 0);
  EXPECT_GT(b.leases(), 0);
  EXPECT_GT(c.leases(), 0);
}

TEST(Leases, GoBackWhenAStreamBreaks) {
  Bench bench;
  bench.PushHollow();
  auto lost = std::make_unique<ScriptedWorker>(bench.address(), "lost", 3);
  ASSERT_TRUE(bench.Create(bench.Request(12)).ok());
  const v1::Lease first = lost->NextLease();
  lost->NextLease();
  lost->NextLease();
  EXPECT_EQ(bench.Get("s").progress().in_flight(), 3);
  lost.reset();
  bench.Await("s", [](const v1::Search& s) { return s.progress().in_flight() == 0; });
  ScriptedWorker next(bench.address(), "next", 1);
  const v1::Lease again = next.NextLease();
  EXPECT_EQ(again.id().lease(), first.id().lease());
  EXPECT_GT(again.id().attempt(), first.id().attempt());
  EXPECT_EQ(again.architecture().DebugString(), first.architecture().DebugString());
}

TEST(Leases, AreKeptByAWorkerThatComesBack) {
  Bench bench;
  bench.PushHollow();
  auto worker = std::make_unique<ScriptedWorker>(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(12)).ok());
  const v1::Lease lease = worker->NextLease();
  worker.reset();
  v1::LeaseId unknown;
  unknown.set_lease("searches/other/evaluations/0-0@0123456789abcdef");
  unknown.set_attempt(1);
  ScriptedWorker back(bench.address(), "w", 1, {}, {lease.id(), unknown});
  const v1::CoordinatorMessage cancel = back.Next();
  ASSERT_TRUE(cancel.has_cancel()) << cancel.DebugString();
  EXPECT_EQ(cancel.cancel().id().lease(), unknown.lease());
  back.SendResult(Measure(lease));  // under the old attempt
  bench.Await("s", [](const v1::Search& s) { return s.progress().evaluations_done() == 1; });
}

TEST(Leases, AreKeptOverARestartOfTheCoordinator) {
  Bench bench;
  bench.PushHollow();
  auto worker = std::make_unique<ScriptedWorker>(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(12)).ok());
  const v1::Lease lease = worker->NextLease();
  bench.Stop();
  EXPECT_EQ(worker->Wait().error_code(), grpc::StatusCode::UNAVAILABLE);
  bench.Start();
  ScriptedWorker back(bench.address(), "w", 1, {}, {lease.id()});
  back.SendResult(Measure(lease));
  EXPECT_TRUE(back.Next().has_lease());  // the slot is free again
  const v1::CoordinatorMessage ack = back.Next();
  ASSERT_TRUE(ack.has_ack()) << ack.DebugString();
  EXPECT_EQ(ack.ack().id().attempt(), lease.id().attempt());
}

TEST(Leases, ExpireWithoutHeartbeatsAndLateResultsAreHarmless) {
  Bench bench(std::chrono::milliseconds(300));
  bench.PushHollow();
  ScriptedWorker silent(bench.address(), "silent", 1);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = silent.NextLease();
  const v1::CoordinatorMessage cancel = silent.Next();
  ASSERT_TRUE(cancel.has_cancel()) << cancel.DebugString();
  EXPECT_EQ(cancel.cancel().id().attempt(), lease.id().attempt());
  const ScriptedWorker other(bench.address(), "other", 1, Measure);
  bench.AwaitEnd("s");
  v1::Result late = Measure(lease);
  (*late.mutable_metrics())["top1"] = 0.99;
  silent.SendResult(late);
  const v1::CoordinatorMessage ack = silent.Next();
  EXPECT_TRUE(ack.has_ack()) << ack.DebugString();
  for (const v1::Evaluation& evaluation : bench.Evaluations("s")) {
    EXPECT_NE(evaluation.metrics().at("top1"), 0.99);
    EXPECT_EQ(evaluation.worker(), "other");
  }
}

TEST(Leases, LiveOnWithHeartbeats) {
  Bench bench(std::chrono::milliseconds(300));
  bench.PushHollow();
  ScriptedWorker worker(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = worker.NextLease();
  for (int i = 0; i < 12; ++i) {  // 0.6 s, twice the lease
    worker.Heartbeat({lease.id()});
    EXPECT_EQ(worker.Next(0.05).kind_case(), v1::CoordinatorMessage::KIND_NOT_SET);
  }
  worker.SendResult(Measure(lease));
  bench.Await("s", [](const v1::Search& s) { return s.progress().evaluations_done() == 1; });
}

TEST(Leases, ACandidateThatFailsThriceIsGivenUpAndTheSearchGoesOn) {
  Bench bench;
  bench.PushHollow();
  std::string poison;
  const ScriptedWorker worker(bench.address(), "w", 1,
                              [&](const v1::Lease& lease) -> std::optional<v1::Result> {
                                const std::string id = lease.id().lease();
                                if (poison.empty()) poison = id;
                                if (id == poison) return std::nullopt;
                                return Measure(lease);
                              });
  ASSERT_TRUE(bench.Create(bench.Request(12)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED) << search.error();
  EXPECT_EQ(search.progress().evaluations_failed(), 1);
  EXPECT_EQ(search.progress().evaluations_done(), 12);
  const auto all = bench.Evaluations("s");
  EXPECT_EQ(all.at(0).state(), v1::Evaluation::FAILED);
  EXPECT_THAT(all.at(0).error(), HasSubstr("3 tries"));
  EXPECT_THAT(all.at(0).error(), HasSubstr("INTERNAL: scripted failure"));
}

TEST(Leases, OneBrokenWorkerFailsNothingWhileAnotherIsThere) {
  Bench bench;
  bench.PushHollow();
  const ScriptedWorker good(bench.address(), "good", 1, Measure);
  const ScriptedWorker broken(bench.address(), "broken", 1,
                              [](const v1::Lease&) { return std::nullopt; });
  ASSERT_TRUE(bench.Create(bench.Request(40)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.progress().evaluations_failed(), 0);
  EXPECT_GT(broken.leases(), 0);
  EXPECT_EQ(Essence(bench.Front("s")), UndisturbedFront(40));
}

TEST(Leases, MetricsThatCannotBeAreFailures) {
  Bench bench;
  bench.PushHollow();
  int told = 0;
  const ScriptedWorker worker(bench.address(), "w", 1,
                              [&](const v1::Lease& lease) -> std::optional<v1::Result> {
                                v1::Result result = Measure(lease);
                                auto& metrics = *result.mutable_metrics();
                                switch (told++) {
                                  case 0: metrics["top1"] = 1.5; break;
                                  case 1: metrics.erase("loss"); break;
                                  case 2: metrics["beauty"] = 1; break;
                                  default: break;
                                }
                                return result;
                              });
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.progress().evaluations_failed(), 1);
  EXPECT_THAT(bench.Evaluations("s").at(0).error(), HasSubstr("beauty"));
}

TEST(Search, FailsIfItsWholeFirstRoundFails) {
  Bench bench;
  bench.PushHollow();
  const ScriptedWorker worker(bench.address(), "w", 1,
                              [](const v1::Lease&) { return std::nullopt; });
  ASSERT_TRUE(bench.Create(bench.Request(40)).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::FAILED);
  EXPECT_THAT(search.error(), HasSubstr("scripted failure"));
}

TEST(Search, GoesOnAfterARestartWhereItWas) {
  Bench bench;
  bench.PushHollow();
  ASSERT_TRUE(bench.Create(bench.Request(40)).ok());
  for (const int enough : {3, 9, 22}) {
    std::atomic<int> answered = bench.Get("s").progress().evaluations_done();
    const ScriptedWorker worker(bench.address(), "w", 2,
                                [&](const v1::Lease& lease) -> std::optional<v1::Result> {
                                  if (answered >= enough)
                                    return v1::Result();  // of no lease: ignored
                                  ++answered;
                                  return Measure(lease);
                                });
    bench.Await("s",
                [&](const v1::Search& s) { return s.progress().evaluations_done() >= enough; });
    bench.Stop();
    bench.Start();
    EXPECT_GE(bench.Get("s").progress().evaluations_done(), enough);
  }
  const ScriptedWorker worker(bench.address(), "w", 2, Measure);
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED) << search.error();
  EXPECT_EQ(Essence(bench.Front("s")), UndisturbedFront(40));
}

TEST(Workers, MustIntroduceThemselves) {
  Bench bench;
  ScriptedWorker nobody(bench.address(), "", 1);
  EXPECT_EQ(nobody.Wait().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  ScriptedWorker forger(bench.address(), "w\n[info] all is well", 1);
  EXPECT_THAT(forger.Wait().error_message(), HasSubstr("worker_id"));
  ScriptedWorker greedy(bench.address(), "g", 100000);
  EXPECT_THAT(greedy.Wait().error_message(), HasSubstr("slots"));
  ScriptedWorker twice(bench.address(), "t", 1);
  v1::WorkerMessage hello;
  hello.mutable_hello()->set_worker_id("t");
  hello.mutable_hello()->set_engine("int8");
  hello.mutable_hello()->set_slots(1);
  twice.Send(hello);
  EXPECT_EQ(twice.Wait().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(Workers, LeaveInGoodOrderAndGiveTheirLeasesBack) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker leaving(bench.address(), "leaving", 2);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = leaving.NextLease();
  v1::WorkerMessage goodbye;
  goodbye.mutable_goodbye()->set_reason("test");
  leaving.Send(goodbye);
  EXPECT_TRUE(leaving.Wait().ok());
  ScriptedWorker next(bench.address(), "next", 1);
  EXPECT_EQ(next.NextLease().id().lease(), lease.id().lease());
}

TEST(Workers, WithOneIdTheNewestCounts) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker old(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = old.NextLease();
  ScriptedWorker newer(bench.address(), "w", 1);
  EXPECT_EQ(old.Wait().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(newer.NextLease().id().lease(), lease.id().lease());
  EXPECT_EQ(bench.Get("s").progress().connected_workers(), 1);
}

}  // namespace
}  // namespace oqat::server
