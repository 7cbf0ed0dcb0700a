// SPDX-License-Identifier: Apache-2.0
// Searches that begin with what others measured, and searches that end before their budget.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "tests/server/bench.h"

namespace oqat::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Code = grpc::StatusCode;

v1::CreateSearchRequest Named(Bench& bench, const std::string& id, int evaluations = 20) {
  v1::CreateSearchRequest request = bench.Request(evaluations);
  request.set_search_id(id);
  return request;
}

grpc::Status Delete(Bench& bench, const std::string& id) {
  grpc::ClientContext context;
  google::protobuf::Empty empty;
  v1::DeleteSearchRequest request;
  request.set_name("searches/" + id);
  return bench.searches().DeleteSearch(&context, request, &empty);
}

std::vector<std::string> KeysOf(const std::vector<v1::Evaluation>& evaluations, bool warm) {
  std::vector<std::string> keys;
  for (const v1::Evaluation& e : evaluations) {
    if ((e.round() == -1) == warm) keys.push_back(e.name() + " " + e.architecture_key());
  }
  return keys;
}

TEST(WarmStart, KnowsWhatEarlierSearchesMeasuredAndNeverMeasuresItAgain) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker worker(bench.address(), "w", 2, Measure);
  v1::CreateSearchRequest first = Named(bench, "a");
  first.mutable_spec()->set_strategy("random");
  ASSERT_TRUE(bench.Create(first).ok());
  ASSERT_EQ(bench.AwaitEnd("a").state(), v1::Search::SUCCEEDED);
  first.set_search_id("b");
  first.mutable_spec()->set_seed(8);
  ASSERT_TRUE(bench.Create(first).ok());
  ASSERT_EQ(bench.AwaitEnd("b").state(), v1::Search::SUCCEEDED);

  v1::CreateSearchRequest request = Named(bench, "s");
  request.mutable_spec()->add_warm_start("searches/a");
  request.mutable_spec()->add_warm_start("searches/b");
  v1::Search search;
  ASSERT_TRUE(bench.Create(request, &search).ok());
  EXPECT_EQ(search.spec().warm_start_size(), 2);
  search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED);
  EXPECT_EQ(search.progress().evaluations_done(), 20);  // what was known costs no budget

  const std::vector<v1::Evaluation> all = bench.Evaluations("s");
  std::set<std::string> architectures;
  int warm = 0, searched = 0;
  for (const v1::Evaluation& e : all) {
    if (e.round() >= search.progress().rounds()) continue;  // the test split
    EXPECT_TRUE(architectures.insert(e.architecture_key()).second) << e.name();
    (e.round() == -1 ? warm : searched) += 1;
    EXPECT_TRUE(e.metrics().contains("top1")) << e.name();
  }
  EXPECT_EQ(searched, 20);
  EXPECT_GE(warm, 38);  // two random draws of twenty hardly meet
  EXPECT_EQ(all.front().name(), "searches/s/evaluations/warm-0");
  // The front is that of everything known, measured on the test split throughout.
  const v1::Front front = bench.Front("s");
  int known = 0;
  for (const v1::Evaluation& member : front.evaluations()) {
    known += member.round() == -1;
    EXPECT_TRUE(member.test_metrics().contains("top1"));
  }
  EXPECT_GT(known, 0);
  EXPECT_GE(front.hypervolume(), bench.Front("a").hypervolume());

  // A search that started with it knows all that it knew.
  v1::CreateSearchRequest third = Named(bench, "t", 4);
  third.mutable_spec()->add_warm_start("searches/s");
  ASSERT_TRUE(bench.Create(third).ok());
  bench.AwaitEnd("t");
  EXPECT_EQ(KeysOf(bench.Evaluations("t"), true).size(), architectures.size());
}

TEST(WarmStart, IsTheSameAfterARestartAndWithoutTheEarlierSearch) {
  std::vector<std::string> undisturbed;
  for (const bool disturbed : {false, true}) {
    Bench bench;
    bench.PushHollow();
    auto worker = std::make_unique<ScriptedWorker>(bench.address(), "w", 1, Measure);
    ASSERT_TRUE(bench.Create(Named(bench, "a")).ok());
    bench.AwaitEnd("a");
    v1::CreateSearchRequest request = Named(bench, "s", 24);
    request.mutable_spec()->add_warm_start("searches/a");
    if (disturbed) worker.reset();
    ASSERT_TRUE(bench.Create(request).ok());
    if (disturbed) {
      ASSERT_TRUE(Delete(bench, "a").ok());
      bench.Stop();
      bench.Start();
      worker = std::make_unique<ScriptedWorker>(bench.address(), "w", 2, Measure);
    }
    EXPECT_EQ(bench.AwaitEnd("s").state(), v1::Search::SUCCEEDED);
    std::vector<std::string> keys = KeysOf(bench.Evaluations("s"), false);
    const std::vector<std::string> warm = KeysOf(bench.Evaluations("s"), true);
    EXPECT_EQ(warm.size(), 20u);
    keys.insert(keys.end(), warm.begin(), warm.end());
    if (disturbed) {
      EXPECT_EQ(keys, undisturbed);
    } else {
      undisturbed = keys;
    }
  }
}

TEST(WarmStart, RefusesSearchesThatDoNotFit) {
  Bench bench;
  bench.PushHollow();
  HollowModel other = MakeHollowModel("other");  // without its 2-bit checkpoint
  other.model.mutable_checkpoints()->RemoveLast();
  other.files.erase(other.files.end() - 2);
  ASSERT_TRUE(bench.Upload(other).ok());
  ASSERT_TRUE(bench.Create(Named(bench, "running")).ok());
  v1::CreateSearchRequest foreign = Named(bench, "foreign");
  foreign.set_model("models/other");
  v1::CreateSearchRequest fewer = Named(bench, "fewer");
  fewer.mutable_spec()->set_search_images(2);
  for (const auto& create : {foreign, fewer}) {
    ASSERT_TRUE(bench.Create(create).ok());
    grpc::ClientContext context;
    v1::CancelSearchRequest cancel;
    cancel.set_name("searches/" + create.search_id());
    v1::Search search;
    ASSERT_TRUE(bench.searches().CancelSearch(&context, cancel, &search).ok());
  }
  const auto refused = [&](const std::vector<std::string>& names, Code code,
                           const std::vector<std::string>& says) {
    v1::CreateSearchRequest request = Named(bench, "s");
    for (const std::string& name : names) request.mutable_spec()->add_warm_start(name);
    const grpc::Status status = bench.Create(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    for (const std::string& text : says) EXPECT_THAT(status.error_message(), HasSubstr(text));
  };
  refused({"searches/gone"}, Code::NOT_FOUND, {"warm_start[0]", "gone"});
  refused({"gone"}, Code::INVALID_ARGUMENT, {"spec.warm_start[0]", "searches/ID"});
  refused({"searches/running"}, Code::FAILED_PRECONDITION, {"warm_start[0]", "have ended"});
  refused({"searches/fewer", "searches/foreign"}, Code::INVALID_ARGUMENT,
          {"warm_start[0]", "search_images 2", "search_images 0"});
  refused({"searches/foreign"}, Code::INVALID_ARGUMENT, {"warm_start[0]", "models/other"});
  refused({"searches/fewer", "searches/fewer"}, Code::INVALID_ARGUMENT, {"at most once"});
  // Nothing is left of what was refused.
  grpc::ClientContext context;
  v1::GetSearchRequest get;
  get.set_name("searches/s");
  v1::Search search;
  EXPECT_EQ(bench.searches().GetSearch(&context, get, &search).error_code(), Code::NOT_FOUND);
}

TEST(Stagnation, EndsASearchAtTheSameRoundHoweverFastItIsMeasured) {
  std::vector<std::string> evaluated;
  for (const int workers : {1, 3}) {
    Bench bench;
    bench.PushHollow();
    v1::CreateSearchRequest request = Named(bench, "s", 100'000);
    request.mutable_spec()->set_stop_after_stagnant_rounds(2);
    request.mutable_spec()->set_lag(3);
    request.mutable_spec()->set_strategy("random");
    std::vector<std::unique_ptr<ScriptedWorker>> pool;
    for (int w = 0; w < workers; ++w) {
      pool.push_back(std::make_unique<ScriptedWorker>(
          bench.address(), "w" + std::to_string(w), 1 + w, [w](const v1::Lease& lease) {
            if (w > 0) std::this_thread::sleep_for(std::chrono::milliseconds(w));
            return Measure(lease);
          }));
    }
    ASSERT_TRUE(bench.Create(request).ok());
    if (workers > 1) {  // and whenever the coordinator is restarted
      bench.Await("s", [](const v1::Search& s) { return s.progress().evaluations_done() >= 8; });
      pool.clear();
      bench.Stop();
      bench.Start();
      pool.push_back(std::make_unique<ScriptedWorker>(bench.address(), "w", 2, Measure));
    }
    const v1::Search search = bench.AwaitEnd("s");
    EXPECT_EQ(search.state(), v1::Search::SUCCEEDED);
    EXPECT_THAT(search.progress().note(), AllOf(HasSubstr("stagnated"), HasSubstr("none of 2")));
    EXPECT_LT(search.progress().evaluations_done(), 100'000);
    const std::vector<std::string> keys = KeysOf(bench.Evaluations("s"), false);
    if (evaluated.empty()) evaluated = keys;
    EXPECT_EQ(keys, evaluated);
    bench.Stop();
    bench.Start();
    EXPECT_EQ(bench.Get("s").progress().note(), search.progress().note());
  }
}

TEST(MaxSeconds, ProposeNoFurtherRoundAndMeasureWhatIsProposed) {
  Bench bench;
  bench.PushHollow();
  v1::CreateSearchRequest request = Named(bench, "s", 100'000);
  request.mutable_spec()->set_max_seconds(1);
  request.mutable_spec()->set_strategy("random");
  ScriptedWorker worker(bench.address(), "w", 1, [](const v1::Lease& lease) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Measure(lease);
  });
  ASSERT_TRUE(bench.Create(request).ok());
  const v1::Search search = bench.AwaitEnd("s");
  EXPECT_EQ(search.state(), v1::Search::SUCCEEDED);
  EXPECT_THAT(search.progress().note(), HasSubstr("max_seconds, 1,"));
  EXPECT_EQ(search.progress().evaluations_done(), 4 * search.progress().rounds());
  EXPECT_LT(search.progress().evaluations_done(), 100'000);
  EXPECT_TRUE(bench.Front("s").final());
}

}  // namespace
}  // namespace oqat::server
