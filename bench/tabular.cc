// The table of truth: every architecture of a reduced space, really evaluated by the evaluator that
// workers use, on the search and on the test images. Interrupted, the same command goes on.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "artifacts/evaluation_table.h"
#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/progress.h"
#include "search/genes.h"
#include "workers/int8_evaluator.h"

namespace {

using namespace oqat;

std::atomic<bool> stop{false};

struct Options {
  std::string model, out, name;
  std::vector<int> resolutions, kernels, expands, depths;
  artifacts::EvaluationProtocol protocol;
  std::int64_t search_images = 0, test_images = 0;
  int threads = 1;
};

/// The choices of `space` that `wanted` names; all if it names none.
void Reduce(std::vector<int>& choices, const std::vector<int>& wanted, const char* option) {
  if (wanted.empty()) return;
  for (const int value : wanted) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      throw InvalidField(option, std::to_string(value), "a choice of the model's space");
    }
  }
  std::erase_if(choices, [&](int choice) {
    return std::find(wanted.begin(), wanted.end(), choice) == wanted.end();
  });
}

/// What an interrupted run left: whole lines only, of the same header.
std::vector<artifacts::EvaluationTable::Row> Earlier(const std::string& path,
                                                     const std::string& header) {
  if (!std::filesystem::exists(path)) return {};
  std::string text = ReadFile(path);
  if (!text.starts_with(header)) {
    throw Error(Code::kFailedPrecondition,
                path + ": is of another model, space or number of images; remove it to begin anew");
  }
  text.resize(text.rfind('\n') + 1);
  return artifacts::ParseEvaluationTable(text, path).rows;
}

int Run(const Options& options) {
  const artifacts::ModelDir model = artifacts::LoadModelDir(options.model);
  workers::EvaluationTask task;
  task.space = model.space;
  task.evaluation_set = {Sha256HexOfFile(model.evaluation_set), model.evaluation_set};
  const artifacts::EvaluationSet set = artifacts::ReadEvaluationSet(model.evaluation_set);
  std::map<int, workers::LocalFile> checkpoints;

  artifacts::EvaluationTable table;
  table.space = model.space;
  table.space.name = model.space.name + "-table";
  Reduce(table.space.resolutions, options.resolutions, "--resolutions");
  Reduce(table.space.kernels, options.kernels, "--kernels");
  Reduce(table.space.expands, options.expands, "--expands");
  Reduce(table.space.depths, options.depths, "--depths");
  table.space.bits.clear();
  for (const auto& [bits, path] : model.checkpoints) {
    table.space.bits.push_back(bits);
    checkpoints[bits] = {Sha256HexOfFile(path), path};
    table.provenance.checkpoints[bits] = checkpoints[bits].id;
  }
  artifacts::EvaluationProtocol search = options.protocol, test = options.protocol;
  search.split = artifacts::Split::kSearch;
  search.images = options.search_images;
  test.split = artifacts::Split::kTest;
  test.images = options.test_images;
  const artifacts::ImageCounts counts = artifacts::CountImages(search, set, model.space);
  table.provenance.model = options.name;
  table.provenance.evaluation_set = task.evaluation_set.id;
  table.provenance.engine = "int8";
  table.provenance.calibration_images = counts.calibration;
  table.provenance.search_images = counts.images;
  table.provenance.test_images = artifacts::CountImages(test, set, model.space).images;
  table.provenance.batch_size = options.protocol.batch_size;

  const search::GeneSpace genes(table.space, table.space.bits);
  constexpr double kMost = 1e6;
  if (genes.CountDistinct() > kMost) {
    throw InvalidField("space", std::to_string(genes.CountDistinct()) + " architectures",
                       "at most 1000000; reduce it with --kernels, --expands, --depths");
  }
  const std::string header = artifacts::TableHeader(table.space, table.provenance);
  const std::string partial = options.out + ".partial";
  table.rows = Earlier(partial, header);
  std::set<std::string> known;
  for (const auto& row : table.rows) known.insert(row.key);
  std::vector<std::string> missing;
  for (const space::Architecture& a : genes.Enumerate()) {
    std::string key = space::ToKey(table.space, a);
    // Reducing choices must change no cost: the table's numbers are the whole space's.
    if (space::CostMetrics(table.space, a) !=
        space::CostMetrics(model.space, space::FromKey(model.space, key))) {
      throw Error(Code::kInternal, key + ": costs differ between the space and its reduction");
    }
    if (!known.contains(key)) missing.push_back(std::move(key));
  }
  // Any order will do; a drawn one makes the time left honest.
  RandomStream random(1, "bench.tabular");
  random.Shuffle(std::span(missing));

  // Rewritten first: an interrupted last line must not be continued.
  {
    std::string kept = header;
    for (const auto& row : table.rows) kept += artifacts::TableRow(table.space, row);
    WriteFileAtomically(partial, kept);
  }
  std::ofstream lines(partial, std::ios::app);
  std::signal(SIGINT, [](int) { stop = true; });
  std::signal(SIGTERM, [](int) { stop = true; });
  const auto files = std::make_shared<workers::Int8Files>();
  const auto total = static_cast<double>(table.rows.size() + missing.size());
  ProgressBar bar("evaluating");
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < options.threads; ++i) {
      threads.emplace_back([&] {
        try {
          workers::Int8Evaluator evaluator(files);
          while (!stop) {
            const std::size_t mine = next++;
            if (mine >= missing.size()) return;
            workers::EvaluationTask own = task;
            own.architecture = space::FromKey(model.space, missing[mine]);
            own.checkpoint = checkpoints.at(own.architecture.bits);
            artifacts::EvaluationTable::Row row{missing[mine], 0, 0};
            own.protocol = search;
            row.search_top1 = evaluator.Evaluate(own, [](double) { return true; })
                                  .metrics.at(space::Metric::kTop1);
            own.protocol = test;
            row.test_top1 = evaluator.Evaluate(own, [](double) { return true; })
                                .metrics.at(space::Metric::kTop1);
            const std::lock_guard lock(mutex);
            lines << artifacts::TableRow(table.space, row) << std::flush;
            if (!lines) throw Error(Code::kResourceExhausted, partial + ": cannot be written");
            table.rows.push_back(std::move(row));
            bar.Update(static_cast<double>(table.rows.size()), total);
          }
        } catch (...) {
          const std::lock_guard lock(mutex);
          error = std::current_exception();
          stop = true;
        }
      });
    }
  }
  bar.Finish();
  if (error) std::rethrow_exception(error);
  if (static_cast<double>(table.rows.size()) < total) {
    std::fprintf(stderr, "stopped after %zu of %.0f; the same command goes on\n", table.rows.size(),
                 total);
    return 1;
  }
  artifacts::WriteEvaluationTable(options.out, table);
  std::filesystem::remove(partial);
  std::printf("%s: %zu architectures\n", options.out.c_str(), table.rows.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Evaluates every architecture of a reduced space: the table of truth.");
  Options options;
  app.add_option("--model", options.model, "model folder")->required();
  app.add_option("--out", options.out, "table to write, .csv or .csv.gz")->required();
  app.add_option("--name", options.name, "the model's name, for the header")->required();
  app.add_option("--resolutions", options.resolutions, "kept choices (default: all)");
  app.add_option("--kernels", options.kernels, "kept choices");
  app.add_option("--expands", options.expands, "kept choices");
  app.add_option("--depths", options.depths, "kept choices");
  app.add_option("--calibration", options.protocol.calibration_images, "images; 0: all");
  app.add_option("--search-images", options.search_images, "0: all");
  app.add_option("--test-images", options.test_images, "0: all");
  app.add_option("--threads", options.threads, "evaluations at a time")->check(CLI::Range(1, 256));
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_tabular: error: %s\n", error.what());
    return 1;
  }
}
