#include "workers/torch_evaluator.h"

#include "tests/workers/evaluator_contract.h"

namespace oqat::workers {
namespace {

struct Torch {
  static std::unique_ptr<Evaluator> Make() { return std::make_unique<TorchEvaluator>(2); }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Torch, EvaluatorContract, Torch);

using TorchEvaluatorTest = EvaluatorContract<Torch>;

TEST_F(TorchEvaluatorTest, EqualsTheSubnetEvaluator) {
  for (const int bits : {4, 2}) {
    const EvaluationTask task = Task(bits);
    supernet::SubnetEvaluator direct(TinyCheckpoint(bits));
    artifacts::EvaluationProtocol protocol;
    protocol.batch_size = 5;
    const auto expected = direct.Evaluate(task.architecture, TinySet(), protocol);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const EvaluationOutcome outcome = evaluator_->Evaluate(task, {});
      EXPECT_EQ(outcome.metrics.at(space::Metric::kTop1), expected.top1);
      EXPECT_EQ(outcome.metrics.at(space::Metric::kLoss), expected.loss);
      EXPECT_EQ(outcome.images, 12);
    }
  }
}

TEST_F(TorchEvaluatorTest, MeasuresNoLatency) {
  EvaluationTask task = Task(4);
  task.protocol.latency = true;
  EXPECT_THAT(Complaint(task), HasSubstr("latency: got true"));
}

}  // namespace
}  // namespace oqat::workers
