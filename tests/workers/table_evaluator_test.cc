#include "workers/table_evaluator.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/workers/scratch.h"

namespace oqat::workers {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kKey[] = "r16-b2-k3e2-k3e2-k3e2";

std::shared_ptr<const artifacts::EvaluationTable> Table() {
  artifacts::EvaluationTable table;
  table.space = space::Preset("tiny-mbv3");
  table.provenance = {
      "tiny", {{2, std::string(64, '2')}}, std::string(64, 'e'), "int8", 512, 2000, 1000, 100};
  table.rows = {{kKey, 0.25, 0.5}};
  return std::make_shared<const artifacts::EvaluationTable>(std::move(table));
}

EvaluationTask Task() {
  EvaluationTask task;
  task.space = space::Preset("tiny-mbv3");
  task.architecture = space::FromKey(task.space, kKey);
  task.checkpoint.id = std::string(64, '2');
  task.evaluation_set.id = std::string(64, 'e');
  return task;
}

std::string Complaint(const EvaluationTask& task) {
  TableEvaluator evaluator(Table());
  return ErrorOf([&] { evaluator.Evaluate(task, {}); });
}

TEST(TableEvaluator, AnswersWhatWasMeasured) {
  TableEvaluator evaluator(Table());
  EXPECT_EQ(evaluator.engine(), "int8");
  EvaluationTask task = Task();
  EvaluationOutcome outcome = evaluator.Evaluate(task, {});
  EXPECT_EQ(outcome.metrics, (space::MetricValues{{space::Metric::kTop1, 0.25}}));
  EXPECT_EQ(outcome.images, 2000);
  task.protocol.split = artifacts::Split::kTest;
  task.protocol.images = 1000;
  outcome = evaluator.Evaluate(task, {});
  EXPECT_EQ(outcome.metrics.at(space::Metric::kTop1), 0.5);
  EXPECT_EQ(outcome.images, 1000);
}

TEST(TableEvaluator, RefusesWhatTheTableDoesNotKnow) {
  EvaluationTask task = Task();
  task.architecture = space::Largest(task.space, 2);
  EXPECT_THAT(Complaint(task), StartsWith("NOT_FOUND: architecture: got r24-b2"));
  task = Task();
  task.architecture.bits = 4;
  EXPECT_THAT(Complaint(task), HasSubstr("checkpoint: got 222"));
  task = Task();
  task.checkpoint.id = "other";
  EXPECT_THAT(Complaint(task), StartsWith("FAILED_PRECONDITION: checkpoint: got other"));
  task = Task();
  task.evaluation_set.id = "other";
  EXPECT_THAT(Complaint(task), HasSubstr("evaluation_set: got other"));
  task = Task();
  task.protocol.images = 200;
  EXPECT_THAT(Complaint(task), HasSubstr("images: got 200; allowed: 2000"));
  task = Task();
  task.protocol.calibration_images = 100;
  EXPECT_THAT(Complaint(task), HasSubstr("calibration_images: got 100"));
  task = Task();
  task.protocol.latency = true;
  EXPECT_THAT(Complaint(task), HasSubstr("latency"));
}

}  // namespace
}  // namespace oqat::workers
