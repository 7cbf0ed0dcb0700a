// Integer inference against fake quantization in float64 (bench/float64_net.h).
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "artifacts/dataset.h"
#include "artifacts/evaluation_set.h"
#include "base/random.h"
#include "bench/float64_net.h"
#include "runtime/subnet.h"

namespace oqat::runtime {
namespace {

TEST(Agreement, StatisticsAndClassesAreThoseOfFakeQuantization) {
  artifacts::EvaluationSet set;
  std::int64_t same = 0, all = 0;
  for (const int bits : {4, 3, 2}) {
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(
        OQAT_SOURCE_DIR "/models/tiny/b" + std::to_string(bits) + ".safetensors");
    if (set.class_names.empty()) {
      artifacts::SplitOptions split;
      split.calibration = 128;
      split.search = 256;
      split.test = 1;
      artifacts::DatasetOptions options;
      options.image_size = checkpoint.space.max_resolution();
      set = artifacts::BuildEvaluationSet(artifacts::LoadDataset("synthetic", options), split);
    }
    const QuantizedSupernet quantized(checkpoint, "checkpoint");
    bench::Float64Net fake(checkpoint);
    RandomStream random(static_cast<std::uint64_t>(bits));
    for (int i = 0; i < 3; ++i) {
      space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
      architecture.bits = bits;
      Subnet subnet(quantized, architecture, KernelsFor(DefaultIsa()));
      subnet.Recalibrate(set.calibration, 0, 128, 100);
      const std::vector<Statistics> ours = subnet.statistics();
      const std::vector<Statistics> exact =
          fake.Recalibrate(architecture, set.calibration, 128, 100, ours);
      for (std::size_t l = 0; l < ours.size(); ++l) {
        ASSERT_EQ(ours[l].mean.size(), exact[l].mean.size()) << ours[l].layer;
        for (std::size_t c = 0; c < ours[l].mean.size(); ++c) {
          // A code that falls on the other side of an edge moves a mean by little.
          const double deviation = std::sqrt(exact[l].variance[c] + 1e-5);
          EXPECT_NEAR(ours[l].mean[c], exact[l].mean[c], 2e-3 * deviation) << ours[l].layer;
          EXPECT_NEAR(std::sqrt(ours[l].variance[c] + 1e-5), deviation, 2e-3 * deviation)
              << ours[l].layer << " " << c;
        }
      }
      subnet.SetStatistics(exact);
      const std::int64_t count = set.search.count();
      const int classes = subnet.classes();
      std::vector<float> logits(static_cast<std::size_t>(count * classes));
      subnet.Run(set.search, 0, count, logits.data());
      const std::vector<double> expected = fake.Logits(set.search, 0, count);
      for (std::int64_t n = 0; n < count; ++n) {
        same += bench::TopClass(logits.data() + n * classes, classes) ==
                        bench::TopClass(expected.data() + n * classes, classes)
                    ? 1
                    : 0;
        ++all;
      }
    }
  }
  std::printf("same class: %lld of %lld\n", static_cast<long long>(same),
              static_cast<long long>(all));
  EXPECT_GE(static_cast<double>(same), 0.995 * static_cast<double>(all));
}

}  // namespace
}  // namespace oqat::runtime
