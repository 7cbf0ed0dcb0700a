// oqat-fake-worker: a real worker (connection, cache, queue) that does not measure: top1 and loss
// come from fakes::FakeEvaluator. Good for load, end-to-end and fault tests of a coordinator; says
// nothing about accuracy or about the speed of evaluations.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "tests/fakes/fake_evaluator.h"
#include "workers/program.h"

namespace {

using oqat::space::Metric;
using oqat::workers::EvaluationOutcome;
using oqat::workers::EvaluationTask;

constexpr const char* kProgram = "oqat-fake-worker";

class FakeEngine final : public oqat::workers::Evaluator {
 public:
  FakeEngine(int delay_ms, double spread, int fail_every, std::string engine, std::string cpu,
             std::atomic<int>& count)
      : delay_ms_(delay_ms),
        spread_(spread),
        fail_every_(fail_every),
        engine_(std::move(engine)),
        cpu_(std::move(cpu)),
        count_(count) {}

  std::string_view engine() const override { return engine_; }
  std::string cpu() const override { return cpu_; }

  EvaluationOutcome Evaluate(const EvaluationTask& task, const Progress& progress) override {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    // The same architecture takes the same time everywhere.
    const std::string key = oqat::space::ToKey(task.space, task.architecture);
    std::uint64_t hash = 0;
    for (const char c : key) hash = hash * 1099511628211ULL + static_cast<unsigned char>(c);
    const double factor = 1 + spread_ * (2 * oqat::RandomStream(hash).Uniform() - 1);
    const std::chrono::duration<double, std::milli> delay(delay_ms_ * factor);
    while (Clock::now() - began < delay) {
      const double share = std::chrono::duration<double>(Clock::now() - began) / delay;
      if (!progress(share)) throw oqat::Error(oqat::Code::kCancelled, "evaluation stopped");
      std::this_thread::sleep_for(
          std::min<std::chrono::duration<double, std::milli>>(delay - (Clock::now() - began),
                                                              std::chrono::milliseconds(20)));
    }
    if (fail_every_ > 0 && ++count_ % fail_every_ == 0) {
      throw oqat::Error(oqat::Code::kInternal,
                        "this fake fails every " + std::to_string(fail_every_) + "th evaluation");
    }
    EvaluationOutcome outcome;
    outcome.metrics = oqat::fakes::FakeEvaluator::Evaluate(
        task.space, task.architecture,
        std::string(oqat::artifacts::SplitName(task.protocol.split)));
    outcome.images = std::max<std::int64_t>(task.protocol.images, 1);
    outcome.stopped = task.protocol.stop_below &&
                      outcome.metrics.at(Metric::kTop1) < *task.protocol.stop_below - 0.05;
    if (task.protocol.latency && !outcome.stopped) {
      // In proportion to the work, in another one for every processor.
      const double macs = oqat::space::CostMetrics(task.space, task.architecture).at(Metric::kMacs);
      outcome.metrics[Metric::kLatencyMs] = macs * 1e-6 * static_cast<double>(cpu_.size());
      outcome.metrics[Metric::kLatencySpreadMs] = 0.01;
    }
    return outcome;
  }

 private:
  const int delay_ms_;
  const double spread_;
  const int fail_every_;
  const std::string engine_, cpu_;
  std::atomic<int>& count_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A worker that makes its measurements up.", kProgram);
  oqat::workers::ProgramOptions options;
  oqat::workers::AddProgramOptions(app, options);
  app.get_option("--coordinator")->required();
  int delay_ms = 0;
  double spread = 0;
  int fail_every = 0;
  std::string engine = "int8", cpu;
  app.add_option("--engine", engine, "what it says it is")->capture_default_str();
  app.add_option("--cpu", cpu, "what it says it runs on");
  app.add_option("--delay-ms", delay_ms, "time of one evaluation")->check(CLI::Range(0, 3'600'000));
  app.add_option("--delay-spread", spread, "each one's time differs by up to this share")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--fail-every", fail_every, "every Nth evaluation fails (default 0: none)")
      ->check(CLI::Range(0, 1'000'000'000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: error: %s\n", kProgram, error.what());
    return 2;
  }
  std::atomic<int> count{0};
  try {
    return oqat::workers::RunProgram(options, [&] {
      return std::make_unique<FakeEngine>(delay_ms, spread, fail_every, engine, cpu, count);
    });
  } catch (...) {
    return oqat::workers::ReportCurrentException(kProgram);
  }
}
