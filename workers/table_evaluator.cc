#include "workers/table_evaluator.h"

#include <utility>

#include "base/error.h"

namespace oqat::workers {
namespace {

void CheckEqual(const char* field, const std::string& got, const std::string& in_table) {
  if (got == in_table) return;
  throw Error(Code::kFailedPrecondition,
              InvalidField(field, got, in_table + ", what the table was measured with").what());
}

void CheckCount(const char* field, std::int64_t got, std::int64_t in_table) {
  // 0 asks for all there are; whoever made the table took them.
  if (got != 0) CheckEqual(field, std::to_string(got), std::to_string(in_table));
}

}  // namespace

TableEvaluator::TableEvaluator(std::shared_ptr<const artifacts::EvaluationTable> table)
    : table_(std::move(table)) {}

EvaluationOutcome TableEvaluator::Evaluate(const EvaluationTask& task, const Progress&) {
  const artifacts::EvaluationTable::Provenance& from = table_->provenance;
  const artifacts::EvaluationProtocol& protocol = task.protocol;
  const bool test = protocol.split == artifacts::Split::kTest;
  const auto checkpoint = from.checkpoints.find(task.architecture.bits);
  CheckEqual("checkpoint", task.checkpoint.id,
             checkpoint == from.checkpoints.end() ? "none" : checkpoint->second);
  CheckEqual("evaluation_set", task.evaluation_set.id, from.evaluation_set);
  CheckCount("calibration_images", protocol.calibration_images, from.calibration_images);
  CheckCount("images", protocol.images, test ? from.test_images : from.search_images);
  CheckEqual("batch_size", std::to_string(protocol.batch_size), std::to_string(from.batch_size));
  if (protocol.latency) {
    throw Error(Code::kFailedPrecondition, "latency: got true; allowed: false, a table has none");
  }
  const std::string key = space::ToKey(task.space, task.architecture);
  const artifacts::EvaluationTable::Row* row = table_->Find(key);
  if (row == nullptr) {
    throw Error(Code::kNotFound, "architecture: got " + key + "; allowed: one of the table's " +
                                     std::to_string(table_->rows.size()));
  }
  EvaluationOutcome outcome;
  outcome.metrics[space::Metric::kTop1] = test ? row->test_top1 : row->search_top1;
  outcome.images = test ? from.test_images : from.search_images;
  return outcome;
}

}  // namespace oqat::workers
