#include "runtime/subnet.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "artifacts/model_dir.h"
#include "artifacts/random_checkpoint.h"
#include "base/error.h"
#include "base/random.h"
#include "runtime/evaluate.h"

namespace oqat::runtime {
namespace {

using testing::HasSubstr;

artifacts::Checkpoint TinyCheckpoint(int bits) {
  return artifacts::ReadCheckpoint(OQAT_SOURCE_DIR "/models/tiny/b" + std::to_string(bits) +
                                   ".safetensors");
}

artifacts::ImageSet Images(int count, int size) {
  artifacts::ImageSet set;
  set.size = size;
  RandomStream random(5);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(set.bytes_per_image()));
  for (int i = 0; i < count; ++i) {
    for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
    set.Append(pixels.data(), static_cast<std::int32_t>(random.Below(10)));
  }
  return set;
}

std::vector<float> Logits(Subnet& subnet, const artifacts::ImageSet& set, std::int64_t step) {
  std::vector<float> logits(static_cast<std::size_t>(set.count() * subnet.classes()));
  for (std::int64_t i = 0; i < set.count(); i += step) {
    subnet.Run(set, i, std::min(set.count(), i + step), logits.data() + i * subnet.classes());
  }
  return logits;
}

template <class Work>
std::string MessageOf(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Subnet, BitsDoNotDependOnInstructionSetOrBatch) {
  const artifacts::ImageSet set = Images(150, 28);
  for (const int bits : {4, 2}) {
    const artifacts::Checkpoint checkpoint = TinyCheckpoint(bits);
    const QuantizedSupernet supernet(checkpoint, "b");
    RandomStream random(9);
    space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
    architecture.bits = bits;
    std::vector<float> expected;
    for (const Isa isa : AvailableIsas()) {
      for (const std::int64_t step : {150, 7}) {
        Subnet subnet(supernet, architecture, KernelsFor(isa));
        subnet.Recalibrate(set, 0, 30, 8);
        const std::vector<float> logits = Logits(subnet, set, step);
        if (expected.empty()) expected = logits;
        EXPECT_EQ(logits, expected) << IsaName(isa) << ", " << step << " images at a time";
      }
    }
  }
}

TEST(Subnet, StatisticsCanBeTakenAndGivenBack) {
  const artifacts::ImageSet set = Images(40, 32);
  const artifacts::Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  const Kernels& kernels = KernelsFor(DefaultIsa());
  const space::Architecture largest = space::Largest(checkpoint.space, 4);
  Subnet first(supernet, largest, kernels), second(supernet, largest, kernels);
  first.Recalibrate(set, 0, 40, 16);
  EXPECT_NE(Logits(first, set, 40), Logits(second, set, 40));
  second.SetStatistics(first.statistics());
  EXPECT_EQ(Logits(first, set, 40), Logits(second, set, 40));
  auto broken = first.statistics();
  broken[2].mean.pop_back();
  EXPECT_THAT(MessageOf([&] { second.SetStatistics(broken); }), HasSubstr("statistics[2]: got"));
  broken = first.statistics();
  broken[1].variance[3] = -1;
  EXPECT_THAT(MessageOf([&] { second.SetStatistics(broken); }), HasSubstr(broken[1].layer));
  broken.pop_back();
  EXPECT_THAT(MessageOf([&] { second.SetStatistics(broken); }), HasSubstr("layers"));
}

TEST(Subnet, StoppedRecalibrationLeavesWhatWasThere) {
  const artifacts::ImageSet set = Images(40, 32);
  const artifacts::Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  Subnet subnet(supernet, space::Largest(checkpoint.space, 4), KernelsFor(DefaultIsa()));
  subnet.Recalibrate(set, 0, 20, 10);
  const std::vector<float> before = Logits(subnet, set, 40);
  const auto stop_after = [&](std::int64_t images) {
    return MessageOf([&] {
      subnet.Recalibrate(set, 0, 40, 8, [&](std::int64_t done) {
        if (done >= images) throw Error(Code::kCancelled, "stopped");
      });
    });
  };
  for (const std::int64_t images : {8, 24, 40}) {
    EXPECT_EQ(stop_after(images), "stopped");
    EXPECT_EQ(Logits(subnet, set, 40), before) << "stopped after " << images;
  }
  for (const std::int64_t batch_size : {0, -3}) {
    EXPECT_EQ(MessageOf([&] { subnet.Recalibrate(set, 0, 40, batch_size); }),
              "batch_size: got " + std::to_string(batch_size) + "; allowed: at least 1");
  }
  EXPECT_THAT(MessageOf([&] { subnet.Recalibrate(set, 5, 5, 8); }), HasSubstr("got none"));
  EXPECT_EQ(Logits(subnet, set, 40), before);
  // And it goes on as if nothing had been.
  Subnet fresh(supernet, space::Largest(checkpoint.space, 4), KernelsFor(DefaultIsa()));
  fresh.Recalibrate(set, 0, 40, 8);
  subnet.Recalibrate(set, 0, 40, 8, [](std::int64_t) {});
  EXPECT_EQ(Logits(subnet, set, 40), Logits(fresh, set, 40));
}

TEST(QuantizedSupernet, RefusesSumsBeyond32Bits) {
  EXPECT_EQ(MostInputs(8), 16448);
  for (const int bits : {8, 4}) {
    for (const int width : {16448, 16449}) {
      Json json = space::SpaceToJson(TinyCheckpoint(4).space);
      json["final_expand_width"] = width;
      json["feature_mix_width"] = 1;
      json["bits"] = {8, 4};
      const auto checkpoint = artifacts::RandomCheckpoint(space::SpaceFromJson(json), bits, 1);
      const std::string message =
          MessageOf([&] { const QuantizedSupernet supernet(checkpoint, "wide"); });
      EXPECT_EQ(message, bits == 4 || width == 16448
                             ? ""
                             : "wide: feature_mix_layer.conv.weight: got 16449 inputs; allowed: at "
                               "most 16448 at 8 bit, whose sums fit 32 bits");
    }
  }
}

TEST(QuantizedSupernet, NamesWhatIsWrongWithACheckpoint) {
  const auto refused = [](artifacts::Checkpoint checkpoint) {
    return MessageOf([&] { const QuantizedSupernet supernet(checkpoint, "a.safetensors"); });
  };
  artifacts::Checkpoint checkpoint = TinyCheckpoint(4);
  const std::string step = "blocks.1.mobile_inverted_conv.point_linear.conv.conv.sw";
  const float zero = 0;
  checkpoint.tensors.at(step) = artifacts::TensorFromFloats({1}, &zero);
  EXPECT_THAT(refused(checkpoint), HasSubstr("a.safetensors: " + step + ": got 0"));
  checkpoint.tensors.erase(step);
  EXPECT_THAT(refused(checkpoint), HasSubstr(step + ": got no such tensor"));
  checkpoint = TinyCheckpoint(4);
  checkpoint.bits = 32;
  EXPECT_THAT(refused(checkpoint), HasSubstr("bits: got 32"));
}

TEST(Evaluate, DependsOnNothingButTheRequest) {
  const artifacts::Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  artifacts::EvaluationSet set;
  set.class_names.resize(static_cast<std::size_t>(checkpoint.space.num_classes));
  set.image_size = 32;
  set.calibration = Images(60, 32);
  set.search = Images(300, 32);
  RandomStream random(21);
  space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
  architecture.bits = 4;
  artifacts::EvaluationProtocol protocol;
  protocol.batch_size = 25;
  const auto evaluate = [&](Isa isa, bool small_steps) {
    artifacts::EvaluationProtocol asked = protocol;
    // Nothing is below 0: it only makes the engine look after every batch.
    if (small_steps) asked.stop_below = 0;
    return Evaluate(supernet, architecture, set, asked, KernelsFor(isa));
  };
  const artifacts::EvaluationResult expected = evaluate(Isa::kPortable, false);
  EXPECT_EQ(expected.images, 300);
  for (const Isa isa : AvailableIsas()) {
    // Several at once: some of them alone on their core, some not.
    std::vector<artifacts::EvaluationResult> results(6);
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < results.size(); ++i) {
        threads.emplace_back([&, i] { results[i] = evaluate(isa, i % 2 == 1); });
      }
    }
    for (const artifacts::EvaluationResult& result : results) {
      EXPECT_EQ(result.top1, expected.top1) << IsaName(isa);
      EXPECT_EQ(result.images, expected.images) << IsaName(isa);
    }
    EXPECT_EQ(results[0].loss, expected.loss) << IsaName(isa);
    EXPECT_EQ(results[2].loss, expected.loss) << IsaName(isa);
  }
}

TEST(Evaluate, RefusesWhatDoesNotFit) {
  const artifacts::Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  artifacts::EvaluationSet set;
  set.class_names.resize(static_cast<std::size_t>(checkpoint.space.num_classes));
  set.image_size = 32;
  set.calibration = set.search = set.test = Images(12, 32);
  artifacts::EvaluationProtocol protocol;
  const Kernels& kernels = KernelsFor(DefaultIsa());
  const space::Architecture small = space::Smallest(checkpoint.space, 4);
  EXPECT_EQ(Evaluate(supernet, small, set, protocol, kernels).images, 12);
  space::Architecture three = small;
  three.bits = 3;
  EXPECT_THAT(MessageOf([&] { Evaluate(supernet, three, set, protocol, kernels); }),
              HasSubstr("architecture.bits: got 3"));
  EXPECT_THAT(MessageOf([&] {
                Evaluate(supernet, small, set, protocol, kernels, [](auto, auto) { return false; });
              }),
              HasSubstr("stopped after 12 of 24"));
  protocol.images = 13;
  EXPECT_THAT(MessageOf([&] { Evaluate(supernet, small, set, protocol, kernels); }),
              HasSubstr("images: got 13"));
}

}  // namespace
}  // namespace oqat::runtime
