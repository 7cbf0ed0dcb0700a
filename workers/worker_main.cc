#include "workers/worker_main.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "space/measurement.h"
#include "workers/local_evaluation.h"
#include "workers/program.h"

namespace oqat::workers {
namespace {

int Evaluate(const LocalEvaluationRequest& request, Evaluator& evaluator, bool json) {
  ProgressBar bar("evaluating");
  const auto evaluations = EvaluateLocally(request, evaluator, [&](double done, double total) {
    if (::isatty(STDERR_FILENO) != 0) bar.Update(done, total);
  });
  bar.Finish();
  const std::string text = json ? LocalEvaluationsToJson(evaluations).dump(2) + "\n"
                                : LocalEvaluationsTable(evaluations);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// Becomes the program of the other engine, beside this one or wherever PATH finds it.
void StartOther(const WorkerProgram& program, const std::string& engine, char** argv) {
  std::array<char, 4096> self{};
  std::error_code ignored;
  std::string other = program.other_program;
  if (::readlink("/proc/self/exe", self.data(), self.size() - 1) > 0) {
    const auto beside = std::filesystem::path(self.data()).parent_path() / other;
    if (std::filesystem::exists(beside, ignored)) other = beside.string();
  }
  ::execvp(other.c_str(), argv);
  throw Error(errno == ENOENT ? Code::kNotFound : Code::kInternal,
              "--engine " + engine + ": " + program.other_program + ": " + std::strerror(errno) +
                  " (looked beside " + program.name +
                  " and in PATH); it is a program of its own, build or install it");
}

}  // namespace

int WorkerMain(int argc, char** argv, const WorkerProgram& program) {
  const char* const name = program.name.c_str();
  CLI::App app("Measures sub-networks for an oqat coordinator until SIGTERM or SIGINT.", name);
  app.set_version_flag("--version", program.name + " 0.1.0");
  app.footer(
      "Exit codes: 0 ok, 2 bad usage or invalid argument, 3 not found, 4 corrupt data, 1 anything\n"
      "else. A second SIGTERM or SIGINT ends the worker at once.");
  ProgramOptions options;
  AddProgramOptions(app, options);
  std::string engine = program.engine;
  const char* const engine_help = "int8 (integer arithmetic) or torch (LibTorch, for comparison)";
  app.add_option("--engine", engine, engine_help)->capture_default_str();

  LocalEvaluationRequest request;
  bool json = false;
  CLI::App& evaluate =
      *app.add_subcommand("evaluate", "Measure architectures here, without a coordinator.");
  evaluate.add_option("--engine", engine, engine_help)->capture_default_str();
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
  evaluate.add_flag("--latency", request.latency,
                    "also the time of one image in one thread of this machine");
  evaluate.add_flag("--json", json, "print JSON");

  std::function<int()> run;
  if (program.add_commands) program.add_commands(app, run);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: error: %s (see %s --help)\n", name, error.what(), name);
    return 2;
  }
  try {
    if (run) return run();
    space::CheckEngine(engine, "--engine");
    if (engine != program.engine) StartOther(program, engine, argv);
    if (evaluate.parsed()) return Evaluate(request, *program.make_evaluator(), json);
    if (options.worker.connection.coordinator.empty()) {
      throw Error(Code::kInvalidArgument,
                  "--coordinator: is missing; give HOST:PORT of oqat-server, or use `" +
                      program.name + " evaluate`");
    }
    return RunProgram(options, program.make_evaluator);
  } catch (...) {
    return ReportCurrentException(name);
  }
}

}  // namespace oqat::workers
