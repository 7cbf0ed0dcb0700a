// How often integer inference and float64 fake quantization say the same class, on the same
// statistics. Fails below 99.5 % of the images or beyond 0.1 point of top1, for any subnet.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "artifacts/evaluation_set.h"
#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"
#include "bench/float64_net.h"
#include "runtime/subnet.h"

namespace {

using namespace oqat;

struct Agreement {
  double same = 0;        ///< share of images with the same class
  double difference = 0;  ///< of top1
};

Agreement Compare(bench::Float64Net& judge, const runtime::QuantizedSupernet& supernet,
                  const space::Architecture& architecture, const artifacts::EvaluationSet& set,
                  std::int64_t count, const std::function<void(std::int64_t)>& done) {
  constexpr std::int64_t kChunk = 250;
  runtime::Subnet subnet(supernet, architecture, runtime::KernelsFor(runtime::DefaultIsa()));
  subnet.SetStatistics(judge.Recalibrate(architecture, set.calibration, set.calibration.count(),
                                         100, subnet.statistics()));
  const int classes = subnet.classes();
  std::vector<float> logits(static_cast<std::size_t>(kChunk * classes));
  std::int64_t same = 0, right = 0, right64 = 0;
  for (std::int64_t i = 0; i < count; i += kChunk) {
    const std::int64_t end = std::min(count, i + kChunk);
    subnet.Run(set.test, i, end, logits.data());
    const std::vector<double> expected = judge.Logits(set.test, i, end);
    for (std::int64_t n = 0; n < end - i; ++n) {
      const int ours = bench::TopClass(logits.data() + n * classes, classes);
      const int theirs = bench::TopClass(expected.data() + n * classes, classes);
      const int label = set.test.labels[static_cast<std::size_t>(i + n)];
      same += ours == theirs ? 1 : 0;
      right += ours == label ? 1 : 0;
      right64 += theirs == label ? 1 : 0;
    }
    done(end);
  }
  const double all = static_cast<double>(count);
  return {static_cast<double>(same) / all, static_cast<double>(right - right64) / all};
}

int Run(const std::string& dir, int count, std::int64_t images, std::uint64_t seed) {
  const artifacts::ModelDir model = artifacts::LoadModelDir(dir);
  const artifacts::EvaluationSet set = artifacts::ReadEvaluationSet(model.evaluation_set);
  images = images == 0 ? set.test.count() : std::min(images, set.test.count());
  std::printf("%s, %lld test images, %d random subnets per bit width, int8 against float64\n",
              model.space.name.c_str(), static_cast<long long>(images), count);
  std::printf(
      "bits  same class, mean  same class, least  top1 differs, mean  top1 differs, most\n");
  RandomStream random(seed, "bench.agreement");
  bool good = true;
  ProgressBar bar("comparing");
  std::int64_t before = 0;
  const double total = static_cast<double>(images) * count * model.checkpoints.size();
  for (const auto& [bits, path] : model.checkpoints) {
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(path);
    const runtime::QuantizedSupernet supernet(checkpoint, path);
    bench::Float64Net judge(checkpoint);
    double same = 0, least = 1, difference = 0, most = 0;
    for (int i = 0; i < count; ++i) {
      space::Architecture architecture = space::SampleUniform(model.space, random);
      architecture.bits = bits;
      const Agreement result = Compare(
          judge, supernet, architecture, set, images,
          [&](std::int64_t done) { bar.Update(static_cast<double>(before + done), total); });
      before += images;
      same += result.same / count;
      least = std::min(least, result.same);
      difference += result.difference / count;
      most = std::max(most, std::abs(result.difference));
    }
    std::printf("%4d  %14.3f %%  %15.3f %%  %18.4f  %18.4f\n", bits, 100 * same, 100 * least,
                difference, most);
    std::fflush(stdout);
    good = good && least >= 0.995 && most <= 0.001;
  }
  bar.Finish();
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Agreement of integer inference with float64 fake quantization.");
  std::string model = OQAT_SOURCE_DIR "/models/tiny";
  int count = 20;
  std::int64_t images = 0;
  std::uint64_t seed = 1;
  app.add_option("--model", model, "folder with model.json")->capture_default_str();
  app.add_option("--architectures", count, "random subnets per bit width")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--images", images, "test images (default 0: all)");
  app.add_option("--seed", seed, "of the subnets")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(model, count, images, seed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_agreement: error: %s\n", error.what());
    return 1;
  }
}
