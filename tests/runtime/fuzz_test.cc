// Damaged checkpoints and odd architectures: each is refused with one Error or gives finite counts.
// Run under the asan preset, this is the proof that compiling survives anything.
#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <limits>
#include <string>

#include "artifacts/random_checkpoint.h"
#include "base/error.h"
#include "base/random.h"
#include "runtime/evaluate.h"
#include "runtime/subnet.h"

namespace oqat::runtime {
namespace {

artifacts::ImageSet Noise(int count, RandomStream& random) {
  artifacts::ImageSet set;
  set.size = 24;
  for (int i = 0; i < count; ++i) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(set.bytes_per_image()));
    for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
    set.Append(pixels.data(), static_cast<std::int32_t>(random.Below(10)));
  }
  return set;
}

float OddNumber(RandomStream& random) {
  const std::vector<float> odd = {0.0F,
                                  -0.0F,
                                  1e-38F,
                                  -1e-45F,
                                  1e30F,
                                  -3e38F,
                                  std::numeric_limits<float>::quiet_NaN(),
                                  std::numeric_limits<float>::infinity(),
                                  -1.0F,
                                  static_cast<float>(random.Normal())};
  return random.Choose(odd);
}

/// One change: a tensor lost, renamed, added, of another shape or type, or with odd numbers.
void Damage(artifacts::Checkpoint& checkpoint, RandomStream& random) {
  auto chosen = checkpoint.tensors.begin();
  std::advance(chosen, random.Below(checkpoint.tensors.size()));
  // Step sizes are few but matter most.
  while (random.Bernoulli(0.5) && !chosen->first.ends_with(".sa") &&
         !chosen->first.ends_with(".sw")) {
    if (++chosen == checkpoint.tensors.end()) chosen = checkpoint.tensors.begin();
  }
  artifacts::Tensor& tensor = chosen->second;
  switch (random.Below(9)) {
    case 0: checkpoint.tensors.erase(chosen); return;
    case 1:
      checkpoint.tensors["x" + chosen->first] = tensor;
      checkpoint.tensors.erase(chosen->first);
      return;
    case 2: checkpoint.tensors["extra"] = tensor; return;
    case 3: tensor.shape.push_back(1); return;
    case 4: tensor.shape.clear(); return;
    case 5: checkpoint.bits = static_cast<int>(random.Below(40)) - 3; return;
    case 6: checkpoint.space.num_classes += 1; return;
    default: break;
  }
  std::vector<float> values = artifacts::ToFloats(tensor);
  values[random.Below(values.size())] = OddNumber(random);
  tensor = artifacts::TensorFromFloats(tensor.shape, values.data());
}

TEST(Fuzz, DamagedCheckpointsAreRefusedOrMeasured) {
  RandomStream random(3, "runtime.fuzz");
  artifacts::EvaluationSet set;
  set.class_names.resize(10);
  set.image_size = 24;
  set.calibration = Noise(4, random);
  set.search = set.test = Noise(6, random);
  artifacts::EvaluationProtocol protocol;
  protocol.batch_size = 3;
  const artifacts::Checkpoint valid = artifacts::RandomCheckpoint(space::Preset("tiny-mbv3"), 4, 1);
  int refused = 0, measured = 0;
  for (int i = 0; i < 400; ++i) {
    artifacts::Checkpoint checkpoint = valid;
    Damage(checkpoint, random);
    try {
      const QuantizedSupernet supernet(checkpoint, "damaged");
      space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
      architecture.bits = checkpoint.bits;
      const auto result = Evaluate(supernet, architecture, set, protocol,
                                   KernelsFor(random.Choose(AvailableIsas())));
      EXPECT_GE(result.top1, 0);
      EXPECT_LE(result.top1, 1);
      EXPECT_EQ(result.images, 6);
      ++measured;
    } catch (const Error& error) {
      ++refused;
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_NE(message.find("got "), std::string::npos) << message;
    }  // any other exception fails the test
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(measured, 20);
}

TEST(Fuzz, OddArchitecturesAreRefusedOrCompiled) {
  RandomStream random(4, "runtime.fuzz");
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const QuantizedSupernet supernet(artifacts::RandomCheckpoint(space, 4, 1), "valid");
  int refused = 0, compiled = 0;
  for (int i = 0; i < 2000; ++i) {
    space::Architecture architecture = space::SampleUniform(space, random);
    architecture.bits = 4;
    const auto odd = [&] { return static_cast<int>(random.NextU64() >> random.Below(64)); };
    switch (random.Below(7)) {
      case 0: architecture.resolution = odd(); break;
      case 1: architecture.bits = odd(); break;
      case 2: architecture.kernels[random.Below(architecture.kernels.size())] = odd(); break;
      case 3: architecture.expands[random.Below(architecture.expands.size())] = odd(); break;
      case 4: architecture.depths[random.Below(architecture.depths.size())] = odd(); break;
      case 5: architecture.kernels.resize(random.Below(12)); break;
      default: architecture.depths.resize(random.Below(6)); break;
    }
    try {
      const Subnet subnet(supernet, architecture, KernelsFor(DefaultIsa()));
      ++compiled;
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(compiled, 50);
}

}  // namespace
}  // namespace oqat::runtime
