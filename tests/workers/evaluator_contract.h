#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "tests/workers/scratch.h"
#include "tests/workers/tiny_model.h"
#include "workers/evaluator.h"

namespace oqat::workers {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// What every engine has to do. A maker has `static std::unique_ptr<Evaluator> Make()`, an
/// evaluator that keeps two checkpoints.
template <typename Maker>
class EvaluatorContract : public testing::Test {
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
    task.protocol.batch_size = 5;
    return task;
  }
  std::string Complaint(const EvaluationTask& task) {
    return ErrorOf([&] { evaluator_->Evaluate(task, {}); });
  }

  ScratchDir dir_;
  std::unique_ptr<Evaluator> evaluator_ = Maker::Make();
};

TYPED_TEST_SUITE_P(EvaluatorContract);

TYPED_TEST_P(EvaluatorContract, KeepsTheLastFewCheckpointsLoaded) {
  const EvaluationTask four = this->Task(4), three = this->Task(3), two = this->Task(2);
  const EvaluationOutcome before = this->evaluator_->Evaluate(four, {});
  this->evaluator_->Evaluate(three, {});
  std::filesystem::remove_all(this->dir_.path());
  EXPECT_EQ(this->evaluator_->Evaluate(four, {}).metrics, before.metrics);
  EXPECT_THAT(this->Complaint(two), StartsWith("NOT_FOUND"));
}

TYPED_TEST_P(EvaluatorContract, RefusesFilesThatDoNotFitAndStaysUsable) {
  const EvaluationTask good = this->Task(4);
  EvaluationTask task = good;
  task.architecture = space::Largest(task.space, 3);
  EXPECT_THAT(this->Complaint(task), HasSubstr("checkpoint.bits: got 4"));
  task = good;
  task.space = space::Preset("cifar10-mbv3");
  task.architecture = space::Largest(task.space, 4);
  EXPECT_THAT(this->Complaint(task),
              AllOf(HasSubstr("checkpoint.space: got tiny-mbv3"), HasSubstr("cifar10-mbv3")));
  task = good;
  task.checkpoint = {"other", this->dir_ / "junk"};
  WriteFileAtomically(this->dir_ / "junk", "this is no checkpoint at all");
  EXPECT_THAT(this->Complaint(task), AllOf(StartsWith("DATA_LOSS"), HasSubstr("junk")));
  task = good;
  task.evaluation_set = {"other", this->dir_ / "junk"};
  EXPECT_THAT(this->Complaint(task), StartsWith("DATA_LOSS"));
  task = good;
  task.protocol.images = 13;
  EXPECT_THAT(this->Complaint(task), HasSubstr("images: got 13"));
  artifacts::Checkpoint broken = TinyCheckpoint(4);
  broken.tensors.erase(broken.tensors.begin());
  artifacts::WriteCheckpoint(this->dir_ / "broken", broken);
  task = good;
  task.checkpoint = {"broken", this->dir_ / "broken"};
  EXPECT_THAT(this->Complaint(task), StartsWith("INVALID_ARGUMENT"));
  EXPECT_EQ(this->evaluator_->Evaluate(good, {}).images, 12);
}

TYPED_TEST_P(EvaluatorContract, StopsWhenProgressSaysSo) {
  const EvaluationTask task = this->Task(4);
  double last = -1;
  EXPECT_THAT(ErrorOf([&] {
                this->evaluator_->Evaluate(task, [&](double share) {
                  EXPECT_GT(share, last);
                  last = share;
                  return share < 0.4;  // while it recalibrates
                });
              }),
              StartsWith("CANCELLED"));
  EXPECT_LT(last, 1);
}

TYPED_TEST_P(EvaluatorContract, GivesUpWhatCannotReachItsBound) {
  EvaluationTask task = this->Task(4);
  const EvaluationOutcome whole = this->evaluator_->Evaluate(task, {});
  EXPECT_FALSE(whole.stopped);
  task.protocol.stop_below = 0.0;
  const EvaluationOutcome same = this->evaluator_->Evaluate(task, {});
  EXPECT_EQ(same.metrics, whole.metrics);
  EXPECT_FALSE(same.stopped);
  // Nothing exceeds 1, so the first look is enough.
  task.protocol.stop_below = 1.1;
  const EvaluationOutcome stopped = this->evaluator_->Evaluate(task, {});
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.images, task.protocol.batch_size);
}

REGISTER_TYPED_TEST_SUITE_P(EvaluatorContract, KeepsTheLastFewCheckpointsLoaded,
                            RefusesFilesThatDoNotFitAndStaysUsable, StopsWhenProgressSaysSo,
                            GivesUpWhatCannotReachItsBound);

}  // namespace oqat::workers
