// Every code that the runtime feeds a convolution, against float64 fake quantization. A layer is
// given the runtime's own codes as input, so that one code at a rounding edge excuses no other: the
// runtime's code must be one that a number within the bound on its float32 rounding errors has.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "artifacts/safetensors.h"
#include "base/files.h"
#include "base/json.h"
#include "base/random.h"
#include "runtime/input.h"
#include "runtime/subnet.h"
#include "tests/runtime/float_reference.h"
#include "tests/runtime/wider_checkpoint.h"

namespace oqat::runtime {
namespace {

constexpr int kImages = 8;

std::string Golden(const std::string& name) { return OQAT_SOURCE_DIR "/tests/golden/" + name; }

/// What the authors' released code computed with: its state dict and the subnets it ran.
struct Released {
  artifacts::Checkpoint checkpoint;
  std::map<std::string, space::Architecture> subnets;
};

Released ReadReleased() {
  const std::string path = Golden("oqa_forward_meta.json");
  const Json meta = ParseJson(ReadFile(path), path);
  const Json& constructor = meta.at("constructor");
  Released released;
  artifacts::Checkpoint& checkpoint = released.checkpoint;
  checkpoint.space = space::OqaSpace(constructor.at("width_mult_list").get<double>(),
                                     constructor.at("n_classes").get<int>(),
                                     constructor.at("ks_list").get<std::vector<int>>(),
                                     constructor.at("expand_ratio_list").get<std::vector<int>>(),
                                     constructor.at("depth_list").get<std::vector<int>>());
  checkpoint.space.resolutions = {48, 64};  // those of the stored inputs
  checkpoint.bits = 4;
  checkpoint.normalization = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
  checkpoint.tensors =
      artifacts::ReadSafeTensors(Golden("oqa_forward_state_b4.safetensors")).tensors;
  std::erase_if(checkpoint.tensors,
                [](const auto& entry) { return entry.first.ends_with(".num_batches_tracked"); });
  for (const auto& [name, genes] : meta.at("subnets").items()) {
    space::Architecture architecture;
    architecture.resolution = 64;
    architecture.bits = 4;
    architecture.kernels = genes.at("ks").get<std::vector<int>>();
    architecture.expands = genes.at("e").get<std::vector<int>>();
    architecture.depths = genes.at("d").get<std::vector<int>>();
    released.subnets[name] = space::Canonical(checkpoint.space, architecture);
  }
  return released;
}

/// Small noise; resized to a network's resolution it is smooth, as pictures are.
artifacts::ImageSet Images(int count) {
  artifacts::ImageSet set;
  set.size = 12;
  RandomStream random(11);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(set.bytes_per_image()));
  for (int i = 0; i < count; ++i) {
    for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
    set.Append(pixels.data(), 0);
  }
  return set;
}

/// Codes as a subnet's probe hears them: [images * pixels][channels], channels whole blocks.
struct LayerCodes {
  int channels = 0;
  std::vector<std::uint8_t> codes;
};

struct Tally {
  std::int64_t codes = 0;
  std::int64_t differing = 0;    ///< not the float64 code: at a rounding edge
  std::int64_t uncertain = 0;    ///< within the bound of an edge
  std::int64_t unexplained = 0;  ///< neither
  double widest = 0;             ///< the largest bound among codes that are not clipped
  std::string first;             ///< the first unexplained one
};

class Comparison {
 public:
  Comparison(const artifacts::Checkpoint& checkpoint, const space::Architecture& architecture)
      : checkpoint_(checkpoint),
        architecture_(architecture),
        quantized_(checkpoint, "checkpoint"),
        set_(Images(kImages)),
        input_(checkpoint.normalization, architecture.resolution, checkpoint.space.stem_stride) {}

  void Run(Tally& tally) {
    Subnet calibrated(quantized_, architecture_, KernelsFor(DefaultIsa()));
    calibrated.Recalibrate(set_, 0, kImages, kImages);
    const std::vector<Statistics> statistics = calibrated.statistics();
    Subnet subnet(quantized_, architecture_, KernelsFor(DefaultIsa()));
    subnet.SetStatistics(statistics);
    std::map<std::string, LayerCodes> layers;
    subnet.SetProbe([&](const std::string& name, const std::uint8_t* codes, std::int64_t plane,
                        std::int64_t pixels, int channels) {
      LayerCodes& layer = layers[name];
      layer.channels = channels;
      for (std::int64_t p = 0; p < pixels; ++p) {
        for (std::int64_t c = 0; c < channels; ++c) {
          layer.codes.push_back(codes[(c / kBlock * plane + p) * kBlock + c % kBlock]);
        }
      }
    });
    std::vector<float> logits(static_cast<std::size_t>(kImages * subnet.classes()));
    subnet.Run(set_, 0, kImages, logits.data());

    const FloatReference reference(checkpoint_, architecture_, statistics);
    for (int n = 0; n < kImages; ++n) {
      std::size_t visited = 0;
      const auto given = [&](const std::string& name, const std::vector<Real>& scaled, int channels,
                             double low, double high) {
        ++visited;
        return Compare(name, layers.at(name), n, scaled, channels, low, high, tally);
      };
      const std::vector<Real> expected =
          reference.Logits(Image(n), architecture_.resolution, given);
      EXPECT_EQ(visited, layers.size());
      for (std::size_t c = 0; c < expected.size(); ++c) {
        const float logit = logits[static_cast<std::size_t>(n) * expected.size() + c];
        EXPECT_NEAR(logit, expected[c].value, expected[c].error) << "image " << n;
        EXPECT_LT(expected[c].error, 1e-3) << "a bound that wide says nothing";
      }
    }
  }

 private:
  std::vector<double> Image(int n) {
    const int size = architecture_.resolution;
    const float* in = input_.Make(set_, n, n + 1);
    std::vector<double> image;
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t y = 1; y <= size; ++y) {
        const float* row = in + (c * (size + 2) + y) * input_.row() + 1;
        image.insert(image.end(), row, row + size);
      }
    }
    return image;
  }

  /// Holds image n's codes against `scaled`; returns the runtime's.
  static std::vector<double> Compare(const std::string& name, const LayerCodes& layer, int n,
                                     const std::vector<Real>& scaled, int channels, double low,
                                     double high, Tally& tally) {
    const std::size_t pixels = scaled.size() / static_cast<std::size_t>(channels);
    EXPECT_EQ(layer.codes.size(), kImages * pixels * static_cast<std::size_t>(layer.channels));
    std::vector<double> codes;
    for (std::size_t i = 0; i < scaled.size(); ++i) {
      const std::size_t at = (static_cast<std::size_t>(n) * pixels + i % pixels) *
                                 static_cast<std::size_t>(layer.channels) +
                             i / pixels;
      // Signed codes are stored with -low added.
      const double code = layer.codes.at(at) + low;
      codes.push_back(code);
      const auto& [x, error] = scaled[i];
      const double least = FloatReference::Code(x - error, low, high);
      const double most = FloatReference::Code(x + error, low, high);
      ++tally.codes;
      if (code != FloatReference::Code(x, low, high)) ++tally.differing;
      if (least != most) ++tally.uncertain;
      if (x > low && x < high) tally.widest = std::max(tally.widest, error);
      if ((code < least || code > most) && ++tally.unexplained == 1) {
        tally.first = name + ", image " + std::to_string(n) + ", channel " +
                      std::to_string(i / pixels) + ", pixel " + std::to_string(i % pixels) +
                      ": code " + std::to_string(code) + " of " + std::to_string(x) + " +- " +
                      std::to_string(error);
      }
    }
    return codes;
  }

  const artifacts::Checkpoint& checkpoint_;
  const space::Architecture architecture_;
  const QuantizedSupernet quantized_;
  const artifacts::ImageSet set_;
  InputMaker input_;
};

/// `bits`: a float error is so many more of finer steps.
void ExpectExplained(const char* what, const Tally& tally, int bits = 4) {
  const double finer = std::ldexp(1, std::max(0, bits - 4));
  std::printf("%s: %lld codes, %lld differ, %lld within the bound of an edge, bound at most %.2g\n",
              what, static_cast<long long>(tally.codes), static_cast<long long>(tally.differing),
              static_cast<long long>(tally.uncertain), tally.widest);
  EXPECT_GT(tally.codes, 100000);
  EXPECT_EQ(tally.unexplained, 0) << tally.first;
  // A bound that allowed for anything would explain anything. The widest ones are those of
  // squeeze-and-excite gates, worst cases of two sums over many channels; most are far below.
  EXPECT_LT(tally.widest, 0.02 * finer);
  EXPECT_LT(static_cast<double>(tally.uncertain), 1e-4 * finer * static_cast<double>(tally.codes));
  EXPECT_LT(static_cast<double>(tally.differing), 1e-5 * finer * static_cast<double>(tally.codes));
}

TEST(Codes, ReferenceComputesWhatTheReleasedCodeDoes) {
  const Released released = ReadReleased();
  const QuantizedSupernet quantized(released.checkpoint, "state");
  const artifacts::SafeTensors io =
      artifacts::ReadSafeTensors(Golden("oqa_forward_io_b4.safetensors"));
  const auto round = [](const std::string&, const std::vector<Real>& scaled, int, double low,
                        double high) {
    std::vector<double> codes;
    for (const Real& x : scaled) codes.push_back(FloatReference::Code(x.value, low, high));
    return codes;
  };
  for (const int size : {48, 64}) {
    const std::vector<double> images =
        artifacts::ToDoubles(io.tensors.at("input_" + std::to_string(size)));
    const auto one = static_cast<std::ptrdiff_t>(images.size() / 2);
    for (const auto& [name, architecture] : released.subnets) {
      const Subnet subnet(quantized, architecture, KernelsFor(DefaultIsa()));
      const FloatReference reference(released.checkpoint, architecture, subnet.statistics());
      const std::vector<double> expected =
          artifacts::ToDoubles(io.tensors.at("logits_f64_" + std::to_string(size) + "_" + name));
      for (int n = 0; n < 2; ++n) {
        const std::vector<double> image(images.begin() + n * one, images.begin() + (n + 1) * one);
        const std::vector<Real> logits = reference.Logits(image, size, round);
        for (std::size_t c = 0; c < logits.size(); ++c) {
          EXPECT_NEAR(logits[c].value, expected[static_cast<std::size_t>(n) * logits.size() + c],
                      1e-9)
              << "subnet " << name << ", size " << size;
        }
      }
    }
  }
}

TEST(Codes, ReleasedStateDict) {
  const Released released = ReadReleased();
  Tally tally;
  for (const auto& [name, subnet] : released.subnets) {
    SCOPED_TRACE("subnet " + name);
    space::Architecture architecture = subnet;
    for (const int resolution : released.checkpoint.space.resolutions) {
      architecture.resolution = resolution;
      Comparison(released.checkpoint, architecture).Run(tally);
    }
  }
  ExpectExplained("released state dict", tally);
}

TEST(Codes, TrainedModelWithSignedCodes) {
  RandomStream random(12);
  for (const int bits : {4, 3, 2}) {
    const std::string name = "models/tiny/b" + std::to_string(bits) + ".safetensors";
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(OQAT_SOURCE_DIR "/" + name);
    Tally tally;
    for (int i = 0; i < 4; ++i) {
      space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
      architecture.bits = bits;
      SCOPED_TRACE(space::ToKey(checkpoint.space, architecture));
      Comparison(checkpoint, architecture).Run(tally);
    }
    ExpectExplained(name.c_str(), tally);
  }
}

TEST(Codes, WiderCodes) {
  RandomStream random(13);
  for (const int bits : {8, 7, 6, 5}) {
    const artifacts::Checkpoint checkpoint = WiderCheckpoint(bits);
    Tally tally;
    for (int i = 0; i < 3; ++i) {
      space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
      SCOPED_TRACE(space::ToKey(checkpoint.space, architecture));
      Comparison(checkpoint, architecture).Run(tally);
    }
    ExpectExplained((std::to_string(bits) + " bit").c_str(), tally, bits);
  }
}

}  // namespace
}  // namespace oqat::runtime
