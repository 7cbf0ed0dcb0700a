// oqat-worker: measures subnets for a coordinator, or here and now (`evaluate`).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/progress.h"
#include "workers/local_evaluation.h"
#include "workers/program.h"
#include "workers/torch_evaluator.h"

namespace {

constexpr const char* kProgram = "oqat-worker";

// OpenMP and OpenBLAS read their environment while they are loaded, before main: set it, then start
// again. Evaluations are parallel by having several at a time, each in one thread; threads within
// one would make results depend on their number, and spinning ones ruin two busy processes.
void RestartWithQuietThreads(char** argv) {
  constexpr std::array<std::array<const char*, 2>, 3> kSettings{
      {{"OMP_NUM_THREADS", "1"}, {"OMP_WAIT_POLICY", "passive"}, {"OPENBLAS_NUM_THREADS", "1"}}};
  bool changed = false;
  for (const auto& [name, value] : kSettings) {
    const char* present = std::getenv(name);
    if (present != nullptr && std::string(present) == value) continue;
    if (::setenv(name, value, 1) != 0) return;
    changed = true;
  }
  if (!changed) return;
  std::array<char, 4096> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return;
  ::execv(path.data(), argv);  // if it fails, we go on: slower, not wrong
}

int Evaluate(const oqat::workers::LocalEvaluationRequest& request, bool json) {
  oqat::workers::TorchEvaluator evaluator;
  oqat::ProgressBar bar("evaluating");
  const auto evaluations =
      oqat::workers::EvaluateLocally(request, evaluator, [&](double done, double total) {
        if (::isatty(STDERR_FILENO) != 0) bar.Update(done, total);
      });
  bar.Finish();
  const std::string text = json ? oqat::workers::LocalEvaluationsToJson(evaluations).dump(2) + "\n"
                                : oqat::workers::LocalEvaluationsTable(evaluations);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  RestartWithQuietThreads(argv);
  CLI::App app("Measures sub-networks for an oqat coordinator until SIGTERM or SIGINT.", kProgram);
  app.set_version_flag("--version", "oqat-worker 0.1.0");
  app.footer(
      "Exit codes: 0 ok, 2 bad usage or invalid argument, 3 not found, 4 corrupt data, 1 anything\n"
      "else. A second SIGTERM or SIGINT ends the worker at once.");
  oqat::workers::ProgramOptions options;
  oqat::workers::AddProgramOptions(app, options);

  oqat::workers::LocalEvaluationRequest request;
  bool json = false;
  CLI::App& evaluate =
      *app.add_subcommand("evaluate", "Measure architectures here, without a coordinator.");
  evaluate.add_option("--checkpoint", request.checkpoints, "checkpoint files, one per bit width");
  evaluate.add_option("--model,--model-dir", request.model_dir, "folder with model.json");
  evaluate.add_option("--evaluation-set", request.evaluation_set,
                      "evaluation set (default: the model's)");
  evaluate
      .add_option("--arch", request.architectures,
                  "JSON file of one architecture or an array of them; - reads stdin")
      ->required();
  evaluate.add_option("--split", request.split, "search or test")->capture_default_str();
  evaluate.add_option("--calibration", request.calibration_images,
                      "calibration images (default 0: all)");
  evaluate.add_option("--images", request.images, "images of the split (default 0: all)");
  evaluate.add_option("--batch-size", request.batch_size, "images per batch")
      ->capture_default_str();
  evaluate.add_flag("--json", json, "print JSON");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: error: %s (see %s --help)\n", kProgram, error.what(), kProgram);
    return 2;
  }
  try {
    if (evaluate.parsed()) return Evaluate(request, json);
    if (options.worker.connection.coordinator.empty()) {
      throw oqat::Error(oqat::Code::kInvalidArgument,
                        "--coordinator: is missing; give HOST:PORT of oqat-server, or use "
                        "`oqat-worker evaluate`");
    }
    return oqat::workers::RunProgram(
        options, [] { return std::make_unique<oqat::workers::TorchEvaluator>(); });
  } catch (...) {
    return oqat::workers::ReportCurrentException(kProgram);
  }
}
