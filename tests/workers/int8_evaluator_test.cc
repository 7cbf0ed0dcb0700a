#include "workers/int8_evaluator.h"

#include <thread>

#include "runtime/evaluate.h"
#include "tests/workers/evaluator_contract.h"

namespace oqat::workers {
namespace {

struct Int8 {
  static std::unique_ptr<Evaluator> Make() {
    return std::make_unique<Int8Evaluator>(std::make_shared<Int8Files>(2));
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Int8, EvaluatorContract, Int8);

using Int8EvaluatorTest = EvaluatorContract<Int8>;

TEST_F(Int8EvaluatorTest, EqualsTheRuntime) {
  for (const int bits : {4, 2}) {
    const EvaluationTask task = Task(bits);
    const runtime::QuantizedSupernet supernet(TinyCheckpoint(bits), "test");
    const auto expected = runtime::Evaluate(supernet, task.architecture, TinySet(), task.protocol,
                                            runtime::KernelsFor(runtime::DefaultIsa()));
    for (int repeat = 0; repeat < 2; ++repeat) {
      const EvaluationOutcome outcome = evaluator_->Evaluate(task, {});
      EXPECT_EQ(outcome.metrics.at(space::Metric::kTop1), expected.top1);
      EXPECT_EQ(outcome.metrics.at(space::Metric::kLoss), expected.loss);
      EXPECT_EQ(outcome.images, 12);
    }
  }
}

TEST_F(Int8EvaluatorTest, MeasuresLatencyOnANamedProcessor) {
  EvaluationTask task = Task(4);
  const EvaluationOutcome without = evaluator_->Evaluate(task, {});
  EXPECT_FALSE(without.metrics.contains(space::Metric::kLatencyMs));
  task.protocol.latency = true;
  const EvaluationOutcome with = evaluator_->Evaluate(task, {});
  EXPECT_EQ(with.metrics.at(space::Metric::kTop1), without.metrics.at(space::Metric::kTop1));
  EXPECT_GT(with.metrics.at(space::Metric::kLatencyMs), 0);
  EXPECT_GE(with.metrics.at(space::Metric::kLatencySpreadMs), 0);
  EXPECT_THAT(evaluator_->cpu(), HasSubstr(", "));
}

TEST_F(Int8EvaluatorTest, ThreadsShareFiles) {
  const auto files = std::make_shared<Int8Files>();
  const EvaluationTask task = Task(4);
  const EvaluationOutcome expected = evaluator_->Evaluate(task, {});
  std::vector<EvaluationOutcome> outcomes(3);
  {
    std::vector<std::jthread> threads;
    for (EvaluationOutcome& outcome : outcomes) {
      threads.emplace_back([&, evaluator = std::make_shared<Int8Evaluator>(files)] {
        outcome = evaluator->Evaluate(task, {});
      });
    }
  }
  for (const EvaluationOutcome& outcome : outcomes) EXPECT_EQ(outcome.metrics, expected.metrics);
  EXPECT_EQ(files->Supernet(task.checkpoint), files->Supernet(task.checkpoint));
}

}  // namespace
}  // namespace oqat::workers
