#include "workers/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "rpc/convert.h"
#include "tests/fakes/fake_evaluator.h"
#include "tests/workers/scratch.h"
#include "tests/workers/scripted_coordinator.h"

namespace oqat::workers {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const space::SearchSpace& Tiny() { return space::Preset("tiny-mbv3"); }

// The fake, with a gate: while it is closed, evaluations wait (and can be stopped).
class GatedEvaluator final : public Evaluator {
 public:
  explicit GatedEvaluator(std::atomic<bool>& open) : open_(open) {}
  std::string_view engine() const override { return "int8"; }
  std::string cpu() const override { return "a test"; }
  EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) override {
    if (ReadFile(task.checkpoint.path).empty()) throw Error(Code::kDataLoss, "empty checkpoint");
    while (!open_) {
      if (!progress(0.5)) throw Error(Code::kCancelled, "stopped");
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (task.protocol.images == 13) throw Error(Code::kDataLoss, "checkpoint: two\nlines");
    if (task.protocol.images == 14) throw std::bad_alloc();
    auto metrics = fakes::FakeEvaluator::Evaluate(
        task.space, task.architecture, std::string(artifacts::SplitName(task.protocol.split)));
    if (task.protocol.images == 15)
      metrics[space::Metric::kLoss] = std::numeric_limits<double>::quiet_NaN();
    return {metrics, task.protocol.images};
  }

 private:
  std::atomic<bool>& open_;
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() : coordinator_(std::make_unique<ScriptedCoordinator>()) {
    checkpoint_ = coordinator_->AddArtifact(std::string(5000, 'c'));
    set_ = coordinator_->AddArtifact(std::string(3000, 's'));
  }
  ~WorkerTest() override { worker_.reset(); }

  void StartWorker(int evaluators = 1) {
    WorkerOptions options;
    options.connection.coordinator = coordinator_->target();
    options.connection.worker_id = "w1";
    options.connection.first_retry_seconds = 0.02;
    options.connection.last_retry_seconds = 0.1;
    options.cache_dir = dir_ / "cache";
    options.grace_seconds = 0.2;
    options.goodbye_seconds = 0.5;
    std::vector<std::unique_ptr<Evaluator>> list;
    for (int i = 0; i < evaluators; ++i) list.push_back(std::make_unique<GatedEvaluator>(open_));
    worker_ = std::make_unique<Worker>(options, std::move(list));
    worker_->Start();
  }

  void ExpectHello(const std::vector<std::string>& held = {}) {
    const v1::WorkerMessage message = coordinator_->Next();
    ASSERT_TRUE(message.has_hello()) << message.ShortDebugString();
    EXPECT_EQ(message.hello().worker_id(), "w1");
    EXPECT_EQ(message.hello().engine(), "int8");
    EXPECT_EQ(message.hello().cpu(), "a test");
    std::vector<std::string> names;
    for (const v1::LeaseId& id : message.hello().held()) names.push_back(id.lease());
    EXPECT_EQ(names, held);
  }

  v1::Lease LeaseOf(const std::string& name, int attempt = 1, std::uint64_t seed = 1) const {
    RandomStream random(seed);
    v1::Lease lease;
    lease.mutable_id()->set_lease(name);
    lease.mutable_id()->set_attempt(attempt);
    lease.set_space_json(space::SpaceToJson(Tiny()).dump());
    *lease.mutable_architecture() = rpc::ToProto(space::SampleUniform(Tiny(), random));
    lease.mutable_checkpoint()->set_sha256(checkpoint_.sha256);
    lease.mutable_checkpoint()->set_size(checkpoint_.size);
    lease.mutable_evaluation_set()->set_sha256(set_.sha256);
    lease.mutable_evaluation_set()->set_size(set_.size);
    lease.mutable_protocol()->set_split("search");
    lease.mutable_protocol()->set_images(100);
    lease.mutable_protocol()->set_batch_size(50);
    lease.mutable_protocol()->set_engine("int8");
    return lease;
  }

  void ExpectResult(const v1::WorkerMessage& message, const v1::Lease& lease) const {
    ASSERT_TRUE(message.has_result()) << message.ShortDebugString();
    EXPECT_EQ(message.result().id().lease(), lease.id().lease());
    EXPECT_EQ(message.result().id().attempt(), lease.id().attempt());
    const auto expected = fakes::FakeEvaluator::Evaluate(
        Tiny(), space::Canonical(Tiny(), rpc::FromProto(lease.architecture())));
    EXPECT_EQ(message.result().metrics().at("top1"), expected.at(space::Metric::kTop1));
    EXPECT_EQ(message.result().metrics().at("loss"), expected.at(space::Metric::kLoss));
    EXPECT_GE(message.result().seconds(), 0);
  }

  bool WaitUntilHeld(std::size_t count) {
    return coordinator_->WaitForHeartbeat([&](const v1::Heartbeat& beat) {
      return static_cast<std::size_t>(beat.held_size()) == count;
    });
  }

  std::string FailureFor(const v1::Lease& lease) {
    coordinator_->SendLease(lease);
    const v1::WorkerMessage message = coordinator_->Next();
    EXPECT_EQ(message.failure().id().lease(), lease.id().lease()) << message.ShortDebugString();
    coordinator_->SendAck(lease.id());
    return message.failure().code() + ": " + message.failure().message();
  }

  ScratchDir dir_;
  std::atomic<bool> open_{true};
  std::unique_ptr<ScriptedCoordinator> coordinator_;
  std::unique_ptr<Worker> worker_;
  artifacts::ArtifactRef checkpoint_, set_;
};

TEST_F(WorkerTest, AnswersLeasesAndDownloadsEachArtifactOnce) {
  StartWorker();
  ExpectHello();
  for (int i = 0; i < 3; ++i) {
    const v1::Lease lease = LeaseOf("l" + std::to_string(i), 1, i);
    coordinator_->SendLease(lease);
    ExpectResult(coordinator_->Next(), lease);
    coordinator_->SendAck(lease.id());
  }
  EXPECT_EQ(coordinator_->download_offsets().size(), 2);
  EXPECT_EQ(ReadFile(dir_ / ("cache/" + set_.sha256)), std::string(3000, 's'));
}

TEST_F(WorkerTest, SendsUnacknowledgedResultsAgainOnANewStream) {
  StartWorker();
  ExpectHello();
  const v1::Lease first = LeaseOf("first"), second = LeaseOf("second");
  coordinator_->SendLease(first);
  ExpectResult(coordinator_->Next(), first);
  coordinator_->SendAck(first.id());
  coordinator_->SendLease(second);
  ExpectResult(coordinator_->Next(), second);
  coordinator_->BreakStream();
  ExpectHello();
  ExpectResult(coordinator_->Next(), second);
  coordinator_->SendAck(second.id());
  EXPECT_TRUE(WaitUntilHeld(0));
  coordinator_->BreakStream();
  ExpectHello();
  EXPECT_EQ(coordinator_->Next(0.2).kind_case(), v1::WorkerMessage::KIND_NOT_SET);
}

TEST_F(WorkerTest, FinishesWhatItHoldsWhileTheCoordinatorRestarts) {
  StartWorker();
  ExpectHello();
  open_ = false;
  const v1::Lease running = LeaseOf("running", 1), queued = LeaseOf("queued", 1, 2);
  coordinator_->SendLease(running);
  coordinator_->SendLease(queued);
  EXPECT_TRUE(WaitUntilHeld(2));
  const int port = coordinator_->port();
  coordinator_.reset();
  open_ = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  coordinator_ = std::make_unique<ScriptedCoordinator>(port);
  coordinator_->OfferAs(checkpoint_.sha256, std::string(5000, 'c'));
  coordinator_->OfferAs(set_.sha256, std::string(3000, 's'));
  ASSERT_TRUE(coordinator_->Next().has_hello());
  ExpectResult(coordinator_->Next(), running);
  ExpectResult(coordinator_->Next(), queued);
}

TEST_F(WorkerTest, NamesHeldLeasesAndAdoptsANewAttempt) {
  StartWorker();
  ExpectHello();
  open_ = false;
  coordinator_->SendLease(LeaseOf("a", 1));
  EXPECT_TRUE(WaitUntilHeld(1));
  coordinator_->SendLease(LeaseOf("b", 1, 2));
  EXPECT_TRUE(WaitUntilHeld(2));
  EXPECT_TRUE(coordinator_->WaitForHeartbeat(
      [](const v1::Heartbeat& beat) { return beat.progress() == 0.5; }));
  coordinator_->BreakStream();
  ExpectHello({"a", "b"});
  // Handed out anew: the same work goes on, under the new fencing number, and is done once.
  coordinator_->SendLease(LeaseOf("a", 2));
  coordinator_->SendLease(LeaseOf("b", 3, 2));
  EXPECT_TRUE(coordinator_->WaitForHeartbeat([](const v1::Heartbeat& beat) {
    return beat.held_size() == 2 && beat.held(0).attempt() == 2 && beat.held(1).attempt() == 3;
  }));
  open_ = true;
  ExpectResult(coordinator_->Next(), LeaseOf("a", 2));
  ExpectResult(coordinator_->Next(), LeaseOf("b", 3, 2));
  EXPECT_EQ(coordinator_->Next(0.2).kind_case(), v1::WorkerMessage::KIND_NOT_SET);
}

TEST_F(WorkerTest, AnswersEveryBadLeaseAndLivesOn) {
  StartWorker();
  ExpectHello();
  v1::Lease lease = LeaseOf("split");
  lease.mutable_protocol()->set_split("train");
  EXPECT_THAT(FailureFor(lease), AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("got train")));
  lease = LeaseOf("calibration");
  lease.mutable_protocol()->set_split("calibration");
  EXPECT_THAT(FailureFor(lease), HasSubstr("allowed: search, test"));
  lease = LeaseOf("gene");
  lease.mutable_architecture()->set_kernels(0, 9);
  EXPECT_THAT(FailureFor(lease), HasSubstr("lease.architecture.kernels[0]"));
  lease = LeaseOf("length");
  lease.mutable_architecture()->add_expands(3);
  EXPECT_THAT(FailureFor(lease), HasSubstr("lease.architecture.expands"));
  lease = LeaseOf("space");
  lease.set_space_json("{");
  EXPECT_THAT(FailureFor(lease), HasSubstr("malformed JSON"));
  lease = LeaseOf("batch");
  lease.mutable_protocol()->set_batch_size(0);
  EXPECT_THAT(FailureFor(lease), HasSubstr("batch_size: got 0"));
  lease = LeaseOf("images");
  lease.mutable_protocol()->set_images(-1);
  EXPECT_THAT(FailureFor(lease), HasSubstr("images: got -1"));
  lease = LeaseOf("sha");
  lease.mutable_checkpoint()->set_sha256("../../etc/passwd");
  EXPECT_THAT(FailureFor(lease), HasSubstr("lease.checkpoint.sha256"));
  lease = LeaseOf("missing");
  lease.mutable_checkpoint()->set_sha256(std::string(64, 'a'));
  EXPECT_THAT(FailureFor(lease), HasSubstr("NOT_FOUND"));
  lease = LeaseOf("corrupt");
  coordinator_->OfferAs(std::string(64, 'b'), std::string(5000, 'x'));
  lease.mutable_checkpoint()->set_sha256(std::string(64, 'b'));
  EXPECT_THAT(FailureFor(lease), HasSubstr("DATA_LOSS"));
  // What the engine itself says.
  lease = LeaseOf("throws");
  lease.mutable_protocol()->set_images(13);
  EXPECT_EQ(FailureFor(lease), "DATA_LOSS: checkpoint: two lines");
  lease.mutable_protocol()->set_images(14);
  EXPECT_THAT(FailureFor(lease), HasSubstr("RESOURCE_EXHAUSTED"));
  lease.mutable_protocol()->set_images(15);
  EXPECT_THAT(FailureFor(lease), HasSubstr("metrics.loss: the evaluation gave nan"));

  const v1::Lease good = LeaseOf("good");
  coordinator_->SendLease(good);
  ExpectResult(coordinator_->Next(), good);
}

TEST_F(WorkerTest, CancelStopsWhatRunsAndForgetsWhatWaits) {
  StartWorker();
  ExpectHello();
  open_ = false;
  coordinator_->SendLease(LeaseOf("a"));
  coordinator_->SendLease(LeaseOf("b", 1, 2));
  coordinator_->SendLease(LeaseOf("c", 1, 3));
  EXPECT_TRUE(WaitUntilHeld(3));
  coordinator_->SendCancel(LeaseOf("b").id());
  coordinator_->SendCancel(LeaseOf("a").id());
  EXPECT_TRUE(WaitUntilHeld(1));
  open_ = true;
  ExpectResult(coordinator_->Next(), LeaseOf("c", 1, 3));
  EXPECT_EQ(coordinator_->Next(0.2).kind_case(), v1::WorkerMessage::KIND_NOT_SET);
}

TEST_F(WorkerTest, CancelEndsADownloadThatStalls) {
  StartWorker();
  ExpectHello();
  coordinator_->StallDownloads(true);
  const v1::Lease lease = LeaseOf("a");
  coordinator_->SendLease(lease);
  EXPECT_TRUE(WaitUntilHeld(1));
  while (coordinator_->download_offsets().empty()) std::this_thread::yield();
  coordinator_->SendCancel(lease.id());
  EXPECT_TRUE(WaitUntilHeld(0));
  coordinator_->StallDownloads(false);
  coordinator_->SendLease(LeaseOf("b"));
  ExpectResult(coordinator_->Next(), LeaseOf("b"));
}

TEST_F(WorkerTest, DownloadsThroughDamageAndBreaks) {
  StartWorker();
  ExpectHello();
  coordinator_->DamageNextChunks(1);
  coordinator_->SendLease(LeaseOf("a"));
  ExpectResult(coordinator_->Next(), LeaseOf("a"));
  EXPECT_THAT(coordinator_->download_offsets(), ElementsAre(0, 0, 0));
  checkpoint_ = coordinator_->AddArtifact(std::string(4000, 'd'));
  coordinator_->BreakDownloadsAfter(2000, 1);
  coordinator_->SendLease(LeaseOf("b"));
  ExpectResult(coordinator_->Next(), LeaseOf("b"));
  EXPECT_THAT(coordinator_->download_offsets(), ElementsAre(0, 0, 0, 0, 2000));
}

TEST_F(WorkerTest, DrainFinishesThenLeavesThenComesBack) {
  StartWorker();
  ExpectHello();
  open_ = false;
  coordinator_->SendLease(LeaseOf("a"));
  EXPECT_TRUE(WaitUntilHeld(1));
  coordinator_->SendDrain();
  EXPECT_EQ(coordinator_->Next(0.1).kind_case(), v1::WorkerMessage::KIND_NOT_SET);
  open_ = true;
  ExpectResult(coordinator_->Next(), LeaseOf("a"));
  EXPECT_EQ(coordinator_->Next().goodbye().reason(), "drained");
  ExpectHello();
  ExpectResult(coordinator_->Next(), LeaseOf("a"));  // it was never acknowledged
}

TEST_F(WorkerTest, ShutdownWaitsForWhatIsNearlyDone) {
  StartWorker();
  ExpectHello();
  open_ = false;
  coordinator_->SendLease(LeaseOf("a"));
  EXPECT_TRUE(WaitUntilHeld(1));
  std::jthread shutdown([&] { worker_->Shutdown(); });
  open_ = true;
  ExpectResult(coordinator_->Next(), LeaseOf("a"));
  coordinator_->SendAck(LeaseOf("a").id());
  EXPECT_TRUE(coordinator_->Next().has_goodbye());
  EXPECT_TRUE(coordinator_->WaitForEnd());
}

TEST_F(WorkerTest, ShutdownStopsWhatIsNotAndGivesItBack) {
  StartWorker();
  ExpectHello();
  open_ = false;
  coordinator_->SendLease(LeaseOf("a"));
  EXPECT_TRUE(WaitUntilHeld(1));
  worker_->Shutdown();
  EXPECT_TRUE(coordinator_->Next().has_goodbye());
  EXPECT_TRUE(coordinator_->WaitForEnd());
}

TEST_F(WorkerTest, SeveralThreadsMeasureAtATime) {
  open_ = false;
  StartWorker(3);
  const v1::WorkerMessage hello = coordinator_->Next();
  EXPECT_EQ(hello.hello().slots(), 4);
  for (int i = 0; i < 4; ++i) coordinator_->SendLease(LeaseOf("l" + std::to_string(i), 1, i));
  EXPECT_TRUE(WaitUntilHeld(4));
  open_ = true;
  std::map<std::string, v1::WorkerMessage> results;
  for (int i = 0; i < 4; ++i) {
    const v1::WorkerMessage message = coordinator_->Next();
    results[message.result().id().lease()] = message;
  }
  for (int i = 0; i < 4; ++i) {
    const std::string name = "l" + std::to_string(i);
    ExpectResult(results[name], LeaseOf(name, 1, i));
  }
}

TEST_F(WorkerTest, WaitsForACoordinatorThatIsNotThereYet) {
  const int port = coordinator_->port();
  StartWorker();
  ExpectHello();
  coordinator_.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  coordinator_ = std::make_unique<ScriptedCoordinator>(port);
  ExpectHello();
}

TEST(Connection, LeavesAPeerThatNeverWelcomes) {
  ScriptedCoordinator coordinator(0, /*welcomes=*/false);
  ScratchDir dir;
  std::atomic<bool> open{true};
  WorkerOptions options;
  options.connection.coordinator = coordinator.target();
  options.connection.worker_id = "w1";
  options.connection.first_retry_seconds = 0.02;
  options.connection.last_retry_seconds = 0.02;
  options.connection.welcome_timeout_seconds = 0.1;
  options.cache_dir = dir.path();
  options.goodbye_seconds = 0.1;
  std::vector<std::unique_ptr<Evaluator>> evaluators;
  evaluators.push_back(std::make_unique<GatedEvaluator>(open));
  Worker worker(options, std::move(evaluators));
  worker.Start();
  EXPECT_TRUE(coordinator.Next().has_hello());
  EXPECT_TRUE(coordinator.Next().has_hello());
}

}  // namespace
}  // namespace oqat::workers
