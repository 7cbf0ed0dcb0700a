// A whole worker with the int8 engine: what a bad lease, checkpoint or evaluation set leads to.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "rpc/convert.h"
#include "tests/workers/scratch.h"
#include "tests/workers/scripted_coordinator.h"
#include "tests/workers/tiny_model.h"
#include "workers/int8_evaluator.h"
#include "workers/worker.h"

namespace oqat::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Int8WorkerTest : public testing::Test {
 protected:
  Int8WorkerTest() {
    WorkerOptions options;
    options.connection.coordinator = coordinator_.target();
    options.connection.worker_id = "w1";
    options.cache_dir = dir_ / "cache";
    options.grace_seconds = 0.2;
    options.goodbye_seconds = 0.5;
    std::vector<std::unique_ptr<Evaluator>> evaluators;
    evaluators.push_back(std::make_unique<Int8Evaluator>(std::make_shared<Int8Files>()));
    worker_ = std::make_unique<Worker>(options, std::move(evaluators));
    worker_->Start();
    EXPECT_TRUE(coordinator_.Next().has_hello());
  }

  artifacts::ArtifactRef Offer(const artifacts::Checkpoint& checkpoint) {
    artifacts::WriteCheckpoint(dir_ / "file", checkpoint);
    return coordinator_.AddArtifact(ReadFile(dir_ / "file"));
  }
  artifacts::ArtifactRef Offer(const artifacts::EvaluationSet& set) {
    artifacts::WriteEvaluationSet(dir_ / "file", set);
    return coordinator_.AddArtifact(ReadFile(dir_ / "file"));
  }

  v1::Lease Lease(const artifacts::ArtifactRef& checkpoint, const artifacts::ArtifactRef& set) {
    const space::SearchSpace& space = space::Preset("tiny-mbv3");
    v1::Lease lease;
    lease.mutable_id()->set_lease("l" + std::to_string(++leases_));
    lease.mutable_id()->set_attempt(1);
    lease.set_space_json(space::SpaceToJson(space).dump());
    *lease.mutable_architecture() = rpc::ToProto(space::Largest(space, 4));
    lease.mutable_checkpoint()->set_sha256(checkpoint.sha256);
    lease.mutable_checkpoint()->set_size(checkpoint.size);
    lease.mutable_evaluation_set()->set_sha256(set.sha256);
    lease.mutable_evaluation_set()->set_size(set.size);
    lease.mutable_protocol()->set_split("search");
    lease.mutable_protocol()->set_batch_size(5);
    lease.mutable_protocol()->set_engine("int8");
    return lease;
  }

  /// What the worker answers: its top1, or "CODE: message".
  std::string Answer(const v1::Lease& lease) {
    coordinator_.SendLease(lease);
    const v1::WorkerMessage message = coordinator_.Next();
    coordinator_.SendAck(lease.id());
    if (message.has_result()) {
      EXPECT_EQ(message.result().id().lease(), lease.id().lease());
      return "top1 " + std::to_string(message.result().metrics().at("top1"));
    }
    EXPECT_EQ(message.failure().id().lease(), lease.id().lease()) << message.ShortDebugString();
    return message.failure().code() + ": " + message.failure().message();
  }

  ScratchDir dir_;
  ScriptedCoordinator coordinator_;
  std::unique_ptr<Worker> worker_;
  int leases_ = 0;
};

TEST_F(Int8WorkerTest, NamesWhatIsWrongAndLivesOn) {
  const artifacts::Checkpoint sound = TinyCheckpoint(4);
  const artifacts::ArtifactRef checkpoint = Offer(sound), set = Offer(TinySet());
  const std::string expected = Answer(Lease(checkpoint, set));
  ASSERT_THAT(expected, HasSubstr("top1 "));

  const std::string weight = "classifier.linear.weight", step = "final_expand_layer.conv.sa";
  const auto damaged = [&](const std::function<void(artifacts::Checkpoint&)>& damage) {
    artifacts::Checkpoint broken = sound;
    damage(broken);
    return Answer(Lease(Offer(broken), set));
  };
  const auto with_step = [&](float value) {
    return damaged([&](auto& c) { c.tensors.at(step) = artifacts::TensorFromFloats({1}, &value); });
  };
  EXPECT_THAT(damaged([&](auto& c) { c.tensors.erase(weight); }),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(weight)));
  EXPECT_THAT(damaged([&](auto& c) {
                auto& shape = c.tensors.at(weight).shape;
                std::swap(shape[0], shape[1]);
              }),
              HasSubstr(weight + ": got shape"));
  EXPECT_THAT(with_step(0), HasSubstr(step + ": got 0"));
  EXPECT_THAT(with_step(std::nanf("")), AllOf(HasSubstr(step), HasSubstr("nan")));

  v1::Lease lease = Lease(checkpoint, set);
  lease.mutable_architecture()->set_kernels(0, 9);
  EXPECT_THAT(Answer(lease), HasSubstr("architecture.kernels[0]: got 9"));
  lease = Lease(checkpoint, set);
  lease.mutable_architecture()->set_bits(3);
  EXPECT_THAT(Answer(lease), HasSubstr("checkpoint.bits: got 4"));

  lease = Lease(checkpoint, set);
  lease.mutable_protocol()->set_images(13);
  EXPECT_THAT(Answer(lease), HasSubstr("images: got 13"));
  artifacts::EvaluationSet other = TinySet();
  other.class_names.push_back("one more");
  EXPECT_THAT(Answer(Lease(checkpoint, Offer(other))), HasSubstr("class_names: got 11 classes"));
  EXPECT_THAT(Answer(Lease(checkpoint, coordinator_.AddArtifact("no evaluation set"))),
              HasSubstr("DATA_LOSS"));

  EXPECT_EQ(Answer(Lease(checkpoint, set)), expected);
}

}  // namespace
}  // namespace oqat::workers
