// oqat-worker: measures subnets in integer arithmetic, for a coordinator or here and now.
#include "artifacts/evaluation_table.h"
#include "workers/int8_bench.h"
#include "workers/int8_evaluator.h"
#include "workers/table_evaluator.h"
#include "workers/worker_main.h"

int main(int argc, char** argv) {
  using namespace oqat;
  const auto files = std::make_shared<workers::Int8Files>();
  std::string table_path;
  std::shared_ptr<const artifacts::EvaluationTable> table;
  return workers::WorkerMain(
      argc, argv,
      {"oqat-worker", "int8", "oqat-worker-torch",
       [&]() -> std::unique_ptr<workers::Evaluator> {
         if (table_path.empty()) return std::make_unique<workers::Int8Evaluator>(files);
         if (!table) {
           table = std::make_shared<const artifacts::EvaluationTable>(
               artifacts::ReadEvaluationTable(table_path));
         }
         return std::make_unique<workers::TableEvaluator>(table);
       },
       [&](CLI::App& app, std::function<int()>& run) {
         app.add_option("--table", table_path,
                        "answer from a table of measurements (bench_tabular) and measure nothing");
         workers::AddInt8Bench(app, run);
       }});
}
