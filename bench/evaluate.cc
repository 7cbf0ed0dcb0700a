// Candidates per second: LibTorch fake quantization written with plain tensor operations (as the
// published evaluation code does it), this project's LibTorch engine, and the int8 engine. One
// thread, one process, one run; recalibration included; processor time, so that other programs
// disturb less. Prints how well they agree, too.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/processor_time.h"
#include "base/random.h"
#include "bench/peak.h"
#include "bench/plain_net.h"
#include "runtime/evaluate.h"
#include "runtime/subnet.h"
#include "space/metric.h"
#include "supernet/subnet_evaluator.h"

namespace {

using oqat::artifacts::EvaluationResult;

/// Where the time of one subnet goes: recalibration and inference, layer by layer.
void PrintLayers(const oqat::runtime::QuantizedSupernet& supernet,
                 const oqat::space::Architecture& architecture,
                 const oqat::artifacts::EvaluationSet& set, oqat::runtime::Isa isa) {
  using oqat::ProcessorSecondsOfProcess;
  using oqat::runtime::Subnet;
  const double peak = oqat::bench::PeakMacsPerSecond(isa);
  const double compile = ProcessorSecondsOfProcess();
  Subnet subnet(supernet, architecture, oqat::runtime::KernelsFor(isa));
  std::printf("%s\ncompile %.3f ms; peak of the product instruction %.1f GMAC/s\n",
              oqat::space::ToKey(supernet.space, architecture).c_str(),
              1e3 * (ProcessorSecondsOfProcess() - compile), peak / 1e9);
  const auto table = [&](const char* what, std::int64_t count, const auto& work) {
    const double begin = ProcessorSecondsOfProcess();
    work();
    const double all = ProcessorSecondsOfProcess() - begin;
    const auto images = static_cast<double>(count);
    std::printf("%s: %.0f images/s\n%-32s %-15s %8s %9s %7s %7s %7s\n", what, images / all, "layer",
                "kind", "MMAC", "us/image", "% time", "GMAC/s", "% peak");
    const auto line = [&](const std::string& name, const std::string& kind, double seconds,
                          double macs) {
      std::printf("%-32s %-15s %8.3f %9.2f %7.1f %7.1f", name.c_str(), kind.c_str(),
                  macs / images / 1e6, 1e6 * seconds / images, 100 * seconds / all,
                  macs / seconds / 1e9);
      peak > 0 ? std::printf(" %7.1f\n", 100 * macs / seconds / peak) : std::printf("\n");
    };
    std::map<std::string, std::pair<double, double>> kinds;
    double seconds = 0, macs = 0;
    for (const Subnet::LayerTime& layer : subnet.TakeTimes()) {
      line(layer.layer, layer.kind, layer.seconds, static_cast<double>(layer.macs));
      kinds[layer.kind].first += layer.seconds;
      kinds[layer.kind].second += static_cast<double>(layer.macs);
      seconds += layer.seconds;
      macs += static_cast<double>(layer.macs);
    }
    for (const auto& [kind, sums] : kinds) line("all", kind, sums.first, sums.second);
    // Layers outside of what is timed: pooling, codes of features.
    line("all", "the rest", all - seconds, 0);
    line("all", "everything", all, macs);
  };
  subnet.EnableTiming(true);
  const std::int64_t calibration = std::min<std::int64_t>(200, set.calibration.count());
  table("recalibration", calibration,
        [&] { subnet.Recalibrate(set.calibration, 0, calibration, 100); });
  const std::int64_t count = std::min<std::int64_t>(1000, set.search.count());
  std::vector<float> logits(static_cast<std::size_t>(count * subnet.classes()));
  table("inference", count, [&] { subnet.Run(set.search, 0, count, logits.data()); });
}

struct Total {
  double seconds = 0, images = 0, worst_top1 = 0;
};

EvaluationResult Measure(Total& total, const std::function<EvaluationResult()>& evaluate,
                         double calibration) {
  const double begin = oqat::ProcessorSecondsOfProcess();
  const EvaluationResult result = evaluate();
  total.seconds += oqat::ProcessorSecondsOfProcess() - begin;
  total.images += calibration + static_cast<double>(result.images);
  return result;
}

int Run(const std::string& dir, const oqat::artifacts::EvaluationProtocol& protocol, int count,
        std::uint64_t seed, bool with_plain, bool layers) {
  using namespace oqat;
  at::set_num_threads(1);
  const artifacts::ModelDir model = artifacts::LoadModelDir(dir);
  const artifacts::EvaluationSet set = artifacts::ReadEvaluationSet(model.evaluation_set);
  const auto counts = artifacts::CountImages(protocol, set, model.space);
  const runtime::Isa isa = runtime::DefaultIsa();
  std::printf("%s, %lld calibration images, %lld images, batches of %lld; int8 kernels: %s\n",
              model.space.name.c_str(), static_cast<long long>(counts.calibration),
              static_cast<long long>(counts.images), static_cast<long long>(protocol.batch_size),
              std::string(runtime::IsaName(isa)).c_str());
  if (layers) {
    const auto& [bits, path] = *model.checkpoints.begin();
    const runtime::QuantizedSupernet quantized(artifacts::ReadCheckpoint(path), path);
    PrintLayers(quantized, space::Largest(model.space, bits), set, isa);
    return 0;
  }
  std::printf("%-52s %6s  %8s %8s %8s\n", "architecture", "MMAC", "plain", "torch", "int8");
  Total plain, torch, int8;
  RandomStream random(seed, "bench.evaluate");
  for (const auto& [bits, path] : model.checkpoints) {
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(path);
    supernet::SubnetEvaluator torch_engine(checkpoint);
    const runtime::QuantizedSupernet quantized(checkpoint, path);
    for (int i = 0; i < count; ++i) {
      space::Architecture architecture = space::SampleUniform(model.space, random);
      architecture.bits = bits;
      const double calibration = static_cast<double>(counts.calibration);
      const auto a = Measure(
          int8,
          [&] {
            return runtime::Evaluate(quantized, architecture, set, protocol,
                                     runtime::KernelsFor(isa));
          },
          calibration);
      const auto b = Measure(
          torch, [&] { return torch_engine.Evaluate(architecture, set, protocol); }, calibration);
      double plain_top1 = std::nan("");
      if (with_plain) {
        plain_top1 =
            Measure(
                plain,
                [&] { return bench::PlainEvaluate(checkpoint, architecture, set, protocol); },
                calibration)
                .top1;
      }
      int8.worst_top1 = std::max(int8.worst_top1, std::abs(a.top1 - b.top1));
      std::printf("%-52.52s %6.2f  %8.4f %8.4f %8.4f\n",
                  space::ToKey(model.space, architecture).c_str(),
                  static_cast<double>(
                      space::CostMetrics(model.space, architecture).at(space::Metric::kMacs)) /
                      1e6,
                  plain_top1, b.top1, a.top1);
      std::fflush(stdout);
    }
  }
  const double int8_rate = int8.images / int8.seconds;
  const auto line = [&](const char* name, const Total& total) {
    if (total.seconds == 0) return;
    const double rate = total.images / total.seconds;
    std::printf("%-6s %9.1f images/s   int8 is %.1f times as fast\n", name, rate, int8_rate / rate);
  };
  line("plain", plain);
  line("torch", torch);
  line("int8", int8);
  std::printf("largest difference of top1, int8 against torch: %.4f\n", int8.worst_top1);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Evaluation speed: plain fake quantization, LibTorch engine, int8 engine.");
  std::string dir = OQAT_SOURCE_DIR "/models/tiny";
  oqat::artifacts::EvaluationProtocol protocol;
  int count = 3;
  std::uint64_t seed = 1;
  bool no_plain = false, layers = false;
  app.add_option("--model", dir, "model folder")->capture_default_str();
  app.add_option("--architectures", count, "random ones per bit width")->capture_default_str();
  app.add_option("--calibration", protocol.calibration_images, "0: all");
  app.add_option("--images", protocol.images, "of the search split; 0: all");
  app.add_option("--batch-size", protocol.batch_size)->capture_default_str();
  app.add_option("--seed", seed)->capture_default_str();
  app.add_flag("--no-plain", no_plain, "leave the plain one out");
  app.add_flag("--layers", layers, "only the int8 engine's time per layer, of the largest subnet");
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(dir, protocol, count, seed, !no_plain, layers);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_evaluate: error: %s\n", error.what());
    return 1;
  }
}
