// How often the int8 engine gives an image the class that fake quantization gives it, from the same
// BatchNorm statistics, so that nothing but the arithmetic differs. Fails where classes agree for
// less than 99.5 % of the images or accuracies differ by more than 0.1 point.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "artifacts/evaluation_protocol.h"
#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"
#include "bench/plain_net.h"
#include "runtime/subnet.h"

namespace {

using namespace oqat;

constexpr double kLeastAgreement = 99.5;  ///< percent of the images of one architecture
constexpr double kMostDifference = 0.1;   ///< of accuracies, percentage points

struct Options {
  std::string model;
  artifacts::EvaluationProtocol protocol;
  int architectures = 20;
  std::uint64_t seed = 1;
  bool single = false;
};

/// The class of each image; of equal logits the first, as everywhere.
std::vector<int> Classes(runtime::Subnet& subnet, const artifacts::ImageSet& images,
                         std::int64_t count) {
  constexpr std::int64_t kChunk = 256;
  const std::int64_t classes = subnet.classes();
  std::vector<float> logits(static_cast<std::size_t>(kChunk * classes));
  std::vector<int> best;
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t end = std::min(count, begin + kChunk);
    subnet.Run(images, begin, end, logits.data());
    for (std::int64_t i = 0; i < end - begin; ++i) {
      const float* row = logits.data() + i * classes;
      best.push_back(static_cast<int>(std::max_element(row, row + classes) - row));
    }
  }
  return best;
}

/// Images whose entries are equal.
std::int64_t Same(const std::vector<int>& a, const std::vector<int>& b) {
  std::int64_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  return same;
}

struct Row {
  int bits = 0, architectures = 0, refused = 0;
  double worst = 100, sum = 0, difference = 0, signed_sum = 0;

  void Add(double agreement, double gained) {
    ++architectures;
    worst = std::min(worst, agreement);
    sum += agreement;
    difference = std::max(difference, std::abs(gained));
    signed_sum += gained;
    if (agreement < kLeastAgreement || std::abs(gained) > kMostDifference) ++refused;
  }
};

int Run(const Options& options) {
  at::set_num_threads(1);
  const artifacts::ModelDir model = artifacts::LoadModelDir(options.model);
  const artifacts::EvaluationSet set = artifacts::ReadEvaluationSet(model.evaluation_set);
  const auto counts = artifacts::CountImages(options.protocol, set, model.space);
  const artifacts::ImageSet& images = set.split(options.protocol.split);
  const std::vector<int> labels(images.labels.begin(), images.labels.begin() + counts.images);
  const runtime::Kernels& kernels = runtime::KernelsFor(runtime::DefaultIsa());
  std::printf("%s, %lld images of the %s split, %lld calibration images; %s against %s\n",
              model.space.name.c_str(), static_cast<long long>(counts.images),
              std::string(artifacts::SplitName(options.protocol.split)).c_str(),
              static_cast<long long>(counts.calibration),
              std::string(runtime::IsaName(kernels.isa)).c_str(),
              options.single ? "float32" : "float64");
  ProgressBar progress("agreement");
  const double total = static_cast<double>(model.checkpoints.size()) * options.architectures *
                       static_cast<double>(counts.images);
  double before = 0;
  std::vector<Row> rows;
  for (const auto& [bits, path] : model.checkpoints) {
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(path);
    const runtime::QuantizedSupernet quantized(checkpoint, path);
    // Every bit width gets the same architectures.
    RandomStream random(options.seed, "bench.agreement");
    Row row;
    row.bits = bits;
    for (int i = 0; i < options.architectures; ++i) {
      space::Architecture architecture = space::SampleUniform(model.space, random);
      architecture.bits = bits;
      runtime::Subnet subnet(quantized, architecture, kernels);
      subnet.Recalibrate(set.calibration, 0, counts.calibration, options.protocol.batch_size);
      const std::vector<int> ours = Classes(subnet, images, counts.images);
      const std::vector<int> theirs = bench::PlainClasses(
          checkpoint, architecture, subnet.statistics(), images, counts.images, !options.single,
          [&](std::int64_t done) { progress.Update(before + static_cast<double>(done), total); });
      before += static_cast<double>(counts.images);
      const auto percent = [&](std::int64_t count) {
        return 100 * static_cast<double>(count) / static_cast<double>(counts.images);
      };
      const std::int64_t hits = Same(ours, labels);
      // Of whole images, so that a difference at the limit is not pushed over it by rounding.
      const double gained = percent(hits - Same(theirs, labels));
      const double agreement = percent(Same(ours, theirs));
      row.Add(agreement, gained);
      std::printf("%-52.52s %7.2f %% same, accuracy %6.2f %%, %+.2f points\n",
                  space::ToKey(model.space, architecture).c_str(), agreement, percent(hits),
                  gained);
      std::fflush(stdout);
    }
    rows.push_back(row);
  }
  progress.Finish();

  std::printf("\n%4s %13s %18s %27s %7s\n", "bits", "architectures", "same class, %",
              "accuracy difference, points", "");
  std::printf("%4s %13s %9s %8s %18s %8s %7s\n", "", "", "least", "mean", "largest", "mean",
              "refused");
  int refused = 0;
  for (const Row& row : rows) {
    std::printf("%4d %13d %9.2f %8.3f %18.2f %+8.3f %7d\n", row.bits, row.architectures, row.worst,
                row.sum / row.architectures, row.difference, row.signed_sum / row.architectures,
                row.refused);
    refused += row.refused;
  }
  if (refused == 0) return 0;
  std::fprintf(
      stderr,
      "bench_agreement: error: %d architectures: below %.1f %% of the same class, or above "
      "%.1f points of difference\n",
      refused, kLeastAgreement, kMostDifference);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Classes of the int8 engine against those of fake quantization.");
  Options options;
  options.protocol.split = artifacts::Split::kTest;
  options.protocol.images = 5000;
  app.add_option("--model", options.model, "model folder")->required();
  app.add_option("--architectures", options.architectures, "random ones per bit width")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--images", options.protocol.images, "of the test split; 0: all")
      ->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_flag("--float32", options.single, "fake quantization in float32 instead of float64");
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_agreement: error: %s\n", error.what());
    return 1;
  }
}
