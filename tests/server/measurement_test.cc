// SPDX-License-Identifier: Apache-2.0
// How candidates are measured: engines, processors and early stops never mix.
#include <gmock/gmock.h>

#include <set>

#include "tests/server/bench.h"

namespace oqat::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const ScriptedWorker::Kind kTorch{"torch", ""};

v1::CreateSearchRequest Named(Bench& bench, const std::string& id, int evaluations = 20) {
  v1::CreateSearchRequest request = bench.Request(evaluations);
  request.set_search_id(id);
  return request;
}

v1::Objective& AddObjective(v1::CreateSearchRequest& request, const char* metric, bool maximize) {
  v1::Objective& objective = *request.mutable_spec()->add_objectives();
  objective.set_metric(metric);
  objective.set_maximize(maximize);
  return objective;
}

v1::CreateSearchRequest WithLatency(Bench& bench, const std::string& id) {
  v1::CreateSearchRequest request = Named(bench, id);
  AddObjective(request, "top1", true);
  AddObjective(request, "latency_ms", false);
  return request;
}

TEST(Engines, AreLeasedOnlyWhatIsTheirs) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker int8(bench.address(), "int8", 2, Measure);
  ASSERT_TRUE(int8.AwaitWelcome());
  v1::CreateSearchRequest request = Named(bench, "s");
  request.mutable_spec()->set_engine("torch");
  v1::Search search;
  ASSERT_TRUE(bench.Create(request, &search).ok());
  EXPECT_EQ(search.spec().engine(), "torch");
  search = bench.Await("s", [](const v1::Search& s) { return !s.progress().note().empty(); });
  EXPECT_EQ(search.progress().note(), "waiting for workers: none of 1 has engine torch");
  EXPECT_EQ(search.progress().connected_workers(), 0);
  ScriptedWorker torch(bench.address(), "torch", 2, Measure, {}, kTorch);
  ASSERT_TRUE(torch.AwaitWelcome());
  EXPECT_EQ(bench.AwaitEnd("s").state(), v1::Search::SUCCEEDED);
  EXPECT_EQ(int8.leases(), 0);
  for (const v1::Evaluation& e : bench.Evaluations("s")) EXPECT_EQ(e.worker(), "torch");

  // The default is int8, and nothing that torch measured counts for it.
  ASSERT_TRUE(bench.Create(Named(bench, "t"), &search).ok());
  EXPECT_EQ(search.spec().engine(), "int8");
  EXPECT_EQ(bench.AwaitEnd("t").progress().evaluations_cached(), 0);
  for (const v1::Evaluation& e : bench.Evaluations("t")) EXPECT_EQ(e.worker(), "int8");
  // Among equals it does.
  ASSERT_TRUE(bench.Create(Named(bench, "u")).ok());
  EXPECT_EQ(bench.AwaitEnd("u").progress().evaluations_cached(), 20);
}

TEST(Engines, AFailingWorkerWaitsOnlyForPeersOfItsEngine) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker torch(bench.address(), "torch", 1, Measure, {}, kTorch);
  ASSERT_TRUE(torch.AwaitWelcome());
  int count = 0;
  ScriptedWorker alone(bench.address(), "alone", 1,
                       [&](const v1::Lease& lease) -> std::optional<v1::Result> {
                         if (++count == 1) return std::nullopt;
                         return Measure(lease);
                       });
  ASSERT_TRUE(bench.Create(Named(bench, "s")).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED);
  EXPECT_EQ(search.progress().evaluations_failed(), 0);
}

TEST(Engines, UnknownOnesAreRefused) {
  Bench bench;
  bench.PushHollow();
  v1::CreateSearchRequest request = Named(bench, "s");
  request.mutable_spec()->set_engine("onnx");
  EXPECT_THAT(bench.Create(request).error_message(),
              AllOf(HasSubstr("engine: got \"onnx\""), HasSubstr("int8, torch")));
  ScriptedWorker odd(bench.address(), "odd", 1, {}, {}, {"onnx", ""});
  EXPECT_THAT(odd.Wait().error_message(), HasSubstr("hello.engine: got \"onnx\""));
}

TEST(Latency, IsMeasuredOnTheOneProcessorThatTheSearchNames) {
  Bench bench;
  bench.PushHollow();
  EXPECT_THAT(bench.Create(WithLatency(bench, "s")).error_message(),
              HasSubstr("no connected worker names one"));
  ScriptedWorker fast(bench.address(), "fast", 2, Measure, {}, {"int8", "fast"});
  ASSERT_TRUE(fast.AwaitWelcome());
  v1::Search search;
  ASSERT_TRUE(bench.Create(WithLatency(bench, "s"), &search).ok());
  EXPECT_EQ(search.spec().cpu(), "fast");
  EXPECT_EQ(bench.AwaitEnd("s").state(), v1::Search::SUCCEEDED);
  const v1::Front front = bench.Front("s");
  for (const v1::Evaluation& e : front.evaluations()) {
    EXPECT_EQ(e.cpu(), "fast");
    EXPECT_GT(e.metrics().at("latency_ms"), 0);
    EXPECT_EQ(e.metrics().at("latency_spread_ms"), 0.5);
    EXPECT_FALSE(e.test_metrics().contains("latency_ms"));
  }

  ScriptedWorker slow(bench.address(), "slow", 2, Measure, {}, {"int8", "slow"});
  ASSERT_TRUE(slow.AwaitWelcome());
  v1::CreateSearchRequest request = WithLatency(bench, "t");
  EXPECT_THAT(bench.Create(request).error_message(), HasSubstr("fast; slow"));
  request.mutable_spec()->set_cpu("slow");
  ASSERT_TRUE(bench.Create(request).ok());
  EXPECT_EQ(bench.AwaitEnd("t").progress().evaluations_cached(), 0);
  for (const v1::Evaluation& e : bench.Evaluations("t")) {
    // The test split's top1 is the same everywhere and may come from the first search.
    EXPECT_EQ(e.cpu(), e.metrics().contains("latency_ms") ? "slow" : "");
    EXPECT_TRUE(e.cpu().empty() || e.worker() == "slow") << e.worker();
  }

  // Without latency any processor will do, and what is measured then has none.
  ASSERT_TRUE(bench.Create(Named(bench, "u")).ok());
  EXPECT_EQ(bench.AwaitEnd("u").progress().evaluations_cached(), 0);
  for (const v1::Evaluation& e : bench.Evaluations("u")) EXPECT_EQ(e.cpu(), "");
}

TEST(Latency, RefusesWhatMakesNoSense) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker worker(bench.address(), "w", 2, Measure, {}, {"int8", "fast"});
  ASSERT_TRUE(worker.AwaitWelcome());
  v1::CreateSearchRequest request = Named(bench, "s");
  request.mutable_spec()->set_cpu("fast");
  EXPECT_THAT(bench.Create(request).error_message(), HasSubstr("cpu: got fast; allowed: nothing"));
  request = WithLatency(bench, "s");
  request.mutable_spec()->set_cpu("fast");
  request.mutable_spec()->set_engine("torch");
  EXPECT_THAT(bench.Create(request).error_message(), HasSubstr("engine: got torch; allowed: int8"));
  // A constraint alone needs it too.
  request = Named(bench, "s");
  v1::Constraint& constraint = *request.mutable_spec()->add_constraints();
  constraint.set_metric("latency_ms");
  constraint.set_max(15);
  v1::Search search;
  ASSERT_TRUE(bench.Create(request, &search).ok());
  EXPECT_EQ(search.spec().cpu(), "fast");
  bench.AwaitEnd("s");
  const v1::Front front = bench.Front("s");
  for (const v1::Evaluation& e : front.evaluations()) {
    EXPECT_LE(e.metrics().at("latency_ms"), 15);
  }
}

TEST(Latency, AWorkerThatDoesNotReportItFails) {
  Bench bench;
  bench.PushHollow();
  const auto forgets = [](const v1::Lease& lease) {
    v1::Result result = Measure(lease);
    result.mutable_metrics()->erase("latency_ms");
    return std::optional(result);
  };
  ScriptedWorker worker(bench.address(), "w", 2, forgets, {}, {"int8", "fast"});
  ASSERT_TRUE(worker.AwaitWelcome());
  ASSERT_TRUE(bench.Create(WithLatency(bench, "s")).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::FAILED);
  EXPECT_THAT(search.error(), HasSubstr("latency_ms: is missing"));
}

TEST(EarlyStop, MarksTheHopelessAndKeepsThemOffTheFront) {
  Bench bench;
  bench.PushHollow();
  std::atomic<int> bounded = 0;
  const auto count = [&](const v1::Lease& lease) {
    bounded += lease.protocol().has_stop_below() ? 1 : 0;
    return std::optional(Measure(lease));
  };
  ScriptedWorker worker(bench.address(), "w", 2, count);
  ASSERT_TRUE(worker.AwaitWelcome());
  v1::CreateSearchRequest request = Named(bench, "s", 60);
  request.mutable_spec()->set_strategy("random");
  ASSERT_TRUE(bench.Create(request).ok());
  bench.AwaitEnd("s");
  EXPECT_EQ(bounded, 0);
  request.set_search_id("t");
  request.mutable_spec()->set_early_stop(true);
  ASSERT_TRUE(bench.Create(request).ok());
  EXPECT_EQ(bench.AwaitEnd("t").state(), v1::Search::SUCCEEDED);
  EXPECT_GT(bounded, 0);
  int stopped = 0;
  for (const v1::Evaluation& e : bench.Evaluations("t")) stopped += e.stopped_after() > 0 ? 1 : 0;
  EXPECT_GT(stopped, 0);
  const v1::Front with = bench.Front("t"), without = bench.Front("s");
  ASSERT_EQ(with.evaluations_size(), without.evaluations_size());
  for (int i = 0; i < with.evaluations_size(); ++i) {
    EXPECT_EQ(with.evaluations(i).stopped_after(), 0);
    EXPECT_EQ(with.evaluations(i).architecture_key(), without.evaluations(i).architecture_key());
  }

  // A third one finds all of it in the cache, marks included, also after a restart.
  bench.Stop();
  bench.Start();
  request.set_search_id("u");
  ASSERT_TRUE(bench.Create(request).ok());
  EXPECT_EQ(bench.AwaitEnd("u").progress().evaluations_cached(), 60);
  int again = 0;
  for (const v1::Evaluation& e : bench.Evaluations("u")) again += e.stopped_after() > 0 ? 1 : 0;
  EXPECT_EQ(again, stopped);
}

TEST(EarlyStop, IsForTop1Alone) {
  Bench bench;
  bench.PushHollow();
  v1::CreateSearchRequest request = Named(bench, "s");
  AddObjective(request, "loss", false);
  AddObjective(request, "macs", false);
  request.mutable_spec()->set_early_stop(true);
  EXPECT_THAT(bench.Create(request).error_message(), HasSubstr("early_stop: got true"));
}

TEST(EarlyStop, AWorkerMustNotStopUnasked) {
  Bench bench;
  bench.PushHollow();
  const auto lazy = [](const v1::Lease& lease) {
    v1::Result result = Measure(lease);
    result.set_stopped_after(1);
    return std::optional(result);
  };
  ScriptedWorker worker(bench.address(), "w", 2, lazy);
  ASSERT_TRUE(worker.AwaitWelcome());
  ASSERT_TRUE(bench.Create(Named(bench, "s")).ok());
  EXPECT_THAT(bench.AwaitEnd("s").error(), HasSubstr("stopped_after"));
}

}  // namespace
}  // namespace oqat::server
