#include "workers/torch_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/workers/scratch.h"
#include "tests/workers/tiny_model.h"

namespace oqat::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class TorchEvaluatorTest : public testing::Test {
 protected:
  LocalFile Checkpoint(int bits) {
    const std::string path = dir_ / ("b" + std::to_string(bits));
    return {artifacts::WriteCheckpoint(path, TinyCheckpoint(bits)), path};
  }
  LocalFile Set() {
    const std::string path = dir_ / "set";
    return {artifacts::WriteEvaluationSet(path, TinySet()), path};
  }
  EvaluationTask Task(int bits) {
    EvaluationTask task;
    task.space = space::Preset("tiny-mbv3");
    task.architecture = space::Largest(task.space, bits);
    task.checkpoint = Checkpoint(bits);
    task.evaluation_set = Set();
    task.batch_size = 5;
    return task;
  }
  std::string Complaint(const EvaluationTask& task) {
    return ErrorOf([&] { evaluator_.Evaluate(task, {}); });
  }

  ScratchDir dir_;
  TorchEvaluator evaluator_{2};
};

TEST_F(TorchEvaluatorTest, EqualsTheSubnetEvaluator) {
  for (const int bits : {4, 2}) {
    const EvaluationTask task = Task(bits);
    supernet::SubnetEvaluator direct(TinyCheckpoint(bits));
    artifacts::EvaluationProtocol protocol;
    protocol.batch_size = 5;
    const auto expected = direct.Evaluate(task.architecture, TinySet(), protocol);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const EvaluationOutcome outcome = evaluator_.Evaluate(task, {});
      EXPECT_EQ(outcome.metrics.at(space::Metric::kTop1), expected.top1);
      EXPECT_EQ(outcome.metrics.at(space::Metric::kLoss), expected.loss);
      EXPECT_EQ(outcome.images, 12);
    }
  }
}

TEST_F(TorchEvaluatorTest, KeepsTheLastFewCheckpointsLoaded) {
  const EvaluationTask four = Task(4), three = Task(3), two = Task(2);
  const EvaluationOutcome before = evaluator_.Evaluate(four, {});
  evaluator_.Evaluate(three, {});
  std::filesystem::remove_all(dir_.path());
  EXPECT_EQ(evaluator_.Evaluate(four, {}).metrics, before.metrics);
  EXPECT_THAT(Complaint(two), StartsWith("NOT_FOUND"));
}

TEST_F(TorchEvaluatorTest, RefusesFilesThatDoNotFitAndStaysUsable) {
  const EvaluationTask good = Task(4);
  EvaluationTask task = good;
  task.architecture = space::Largest(task.space, 3);
  EXPECT_THAT(Complaint(task), HasSubstr("checkpoint.bits: got 4"));
  task = good;
  task.space = space::Preset("cifar10-mbv3");
  task.architecture = space::Largest(task.space, 4);
  EXPECT_THAT(Complaint(task),
              AllOf(HasSubstr("checkpoint.space: got tiny-mbv3"), HasSubstr("cifar10-mbv3")));
  task = good;
  task.checkpoint = {"other", dir_ / "junk"};
  WriteFileAtomically(dir_ / "junk", "this is no checkpoint at all");
  EXPECT_THAT(Complaint(task), AllOf(StartsWith("DATA_LOSS"), HasSubstr("junk")));
  task = good;
  task.evaluation_set = {"other", dir_ / "junk"};
  EXPECT_THAT(Complaint(task), StartsWith("DATA_LOSS"));
  task = good;
  task.images = 13;
  EXPECT_THAT(Complaint(task), HasSubstr("images: got 13"));
  artifacts::Checkpoint broken = TinyCheckpoint(4);
  broken.tensors.erase(broken.tensors.begin());
  artifacts::WriteCheckpoint(dir_ / "broken", broken);
  task = good;
  task.checkpoint = {"broken", dir_ / "broken"};
  EXPECT_THAT(Complaint(task), StartsWith("INVALID_ARGUMENT"));
  EXPECT_EQ(evaluator_.Evaluate(good, {}).images, 12);
}

TEST_F(TorchEvaluatorTest, StopsWhenProgressSaysSo) {
  const EvaluationTask task = Task(4);
  double last = -1;
  EXPECT_THAT(ErrorOf([&] {
                evaluator_.Evaluate(task, [&](double share) {
                  EXPECT_GT(share, last);
                  last = share;
                  return share < 0.6;
                });
              }),
              StartsWith("CANCELLED"));
  EXPECT_LT(last, 1);
}

}  // namespace
}  // namespace oqat::workers
