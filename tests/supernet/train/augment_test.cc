#include "supernet/train/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "artifacts/dataset.h"

namespace oqat::supernet {
namespace {

/// `count` images of `size` pixels whose bytes all differ between neighbours.
artifacts::ImageSet Gradients(int size, int count) {
  artifacts::ImageSet set;
  set.size = size;
  for (int i = 0; i < count; ++i) {
    std::vector<std::uint8_t> image(static_cast<std::size_t>(set.bytes_per_image()));
    for (std::size_t p = 0; p < image.size(); ++p) image[p] = static_cast<std::uint8_t>(p + i);
    set.Append(image.data(), i % 10);
  }
  return set;
}

std::vector<float> Apply(const artifacts::ImageSet& set, AugmentOptions options, int resolution,
                         std::uint64_t seed) {
  Augmenter augmenter({}, options);
  std::vector<float> out(std::size_t{3} * resolution * resolution);
  RandomStream random(seed);
  augmenter.Apply(set, 0, resolution, random, out.data());
  return out;
}

TEST(Augmenter, WithoutOptionsItOnlyNormalises) {
  const auto set = Gradients(4, 1);
  artifacts::Normalization normalization;
  normalization.mean = {0.1, 0.2, 0.3};
  normalization.std = {0.5, 0.25, 2};
  Augmenter augmenter(normalization, {});
  std::vector<float> out(48);
  RandomStream random(1);
  augmenter.Apply(set, 0, 4, random, out.data());
  for (int i = 0; i < 48; ++i) {
    const double expected =
        (set.pixels[i] / 255.0 - normalization.mean[i % 3]) / normalization.std[i % 3];
    EXPECT_FLOAT_EQ(out[i], static_cast<float>(expected));
  }
}

TEST(Augmenter, EqualStreamsGiveEqualImagesAndOthersDiffer) {
  const auto set = Gradients(12, 1);
  const AugmentOptions options{3, true};
  std::set<std::vector<float>> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto once = Apply(set, options, 12, seed);
    EXPECT_EQ(once, Apply(set, options, 12, seed));
    seen.insert(once);
  }
  EXPECT_GT(seen.size(), 20u);
}

TEST(Augmenter, FlipMirrorsRowsAndKeepsChannels) {
  const auto set = Gradients(5, 1);
  const auto plain = Apply(set, {0, false}, 5, 0);
  bool flipped = false, kept = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto out = Apply(set, {0, true}, 5, seed);
    if (out == plain) {
      kept = true;
      continue;
    }
    flipped = true;
    for (int y = 0; y < 5; ++y) {
      for (int x = 0; x < 5; ++x) {
        for (int c = 0; c < 3; ++c) {
          EXPECT_EQ(out[(y * 5 + x) * 3 + c], plain[(y * 5 + 4 - x) * 3 + c]);
        }
      }
    }
  }
  EXPECT_TRUE(flipped);
  EXPECT_TRUE(kept);
}

TEST(Augmenter, TurningFlipOffMovesNoOtherRandomNumber) {
  const auto set = Gradients(6, 1);
  Augmenter with({}, {2, true}), without({}, {2, false});
  std::vector<float> out(108);
  RandomStream a(7), b(7);
  for (int i = 0; i < 20; ++i) {
    with.Apply(set, 0, 6, a, out.data());
    without.Apply(set, 0, 6, b, out.data());
  }
  EXPECT_EQ(a.NextU64(), b.NextU64());
}

TEST(Augmenter, ResizesToTheStepsResolution) {
  const auto set = Gradients(8, 1);
  std::vector<std::uint8_t> expected(std::size_t{3} * 5 * 5);
  artifacts::ResizeSquare(set.image(0), 8, expected.data(), 5);
  const auto out = Apply(set, {}, 5, 1);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_FLOAT_EQ(out[i], static_cast<float>(expected[i] / 255.0));
  }
}

TEST(Sampler, EveryEpochIsAPermutationAndEpochsDiffer) {
  std::vector<std::int64_t> indices(50);
  std::iota(indices.begin(), indices.end(), 100);
  Sampler sampler(indices, 3, 4);
  std::vector<std::vector<std::int64_t>> epochs(3);
  for (int i = 0; i < 150; ++i) {
    const auto draw = sampler.Next();
    EXPECT_EQ(draw.epoch, static_cast<std::uint64_t>(i / 50));
    EXPECT_EQ(draw.position, static_cast<std::uint64_t>(i % 50));
    epochs[draw.epoch].push_back(draw.image);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (auto& epoch : epochs) {
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, indices);
  }
}

TEST(Sampler, NeverYieldsASearchImage) {
  artifacts::SplitOptions options;
  options.calibration = 20;
  options.search = 60;
  const auto split = artifacts::SplitTrainImages(300, options);
  const std::set<std::int64_t> held_out(split.search.begin(), split.search.end());
  EXPECT_EQ(held_out.size(), 60u);
  Sampler sampler(split.train, 1, 32);
  std::set<std::int64_t> trained_on;
  for (int i = 0; i < 1000; ++i) trained_on.insert(sampler.Next().image);
  for (const std::int64_t image : trained_on) EXPECT_EQ(held_out.count(image), 0u);
  EXPECT_EQ(trained_on.size(), 240u);
}

TEST(Normalization, IsTheMeanAndDeviationInFourDigits) {
  artifacts::ImageSet set;
  set.size = 1;
  const std::uint8_t dark[3] = {0, 51, 10}, light[3] = {255, 102, 10};
  set.Append(dark, 0);
  set.Append(light, 1);
  const std::vector<std::int64_t> both = {0, 1};
  const auto normalization = MeasureNormalization(set, both);
  EXPECT_EQ(normalization.mean, (std::array<double, 3>{0.5, 0.3, 0.0392}));
  EXPECT_EQ(normalization.std, (std::array<double, 3>{0.5, 0.1, 0.01}));  // at least 0.01
}

/// Pixels of the mean colour (0 after normalising by a mean of 0 and this set's bytes above 0).
std::vector<bool> Blank(const std::vector<float>& image) {
  std::vector<bool> blank;
  for (std::size_t i = 0; i < image.size(); i += 3) {
    blank.push_back(image[i] == 0 && image[i + 1] == 0 && image[i + 2] == 0);
  }
  return blank;
}

artifacts::ImageSet White(int size) {
  artifacts::ImageSet set;
  set.size = size;
  set.Append(std::vector<std::uint8_t>(std::size_t{3} * size * size, 255).data(), 0);
  return set;
}

TEST(Augmenter, ErasingBlanksOneRectangleOfAllowedArea) {
  const auto set = White(32);
  int erased = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto blank = Blank(Apply(set, {0, false, 0.5, 0.2, 0}, 32, seed));
    const auto area = std::count(blank.begin(), blank.end(), true);
    if (area == 0) continue;
    ++erased;
    int top = 32, bottom = 0, left = 32, right = 0;
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        if (!blank[static_cast<std::size_t>(32 * y + x)]) continue;
        top = std::min(top, y), bottom = std::max(bottom, y + 1);
        left = std::min(left, x), right = std::max(right, x + 1);
      }
    }
    EXPECT_EQ(area, (bottom - top) * (right - left)) << "one full rectangle";
    EXPECT_LE(static_cast<double>(area), 0.2 * 1024 * 1.2) << "sides are rounded";
    EXPECT_GE(static_cast<double>(area), 0.02 * 1024 * 0.7);
  }
  EXPECT_GT(erased, 70);
  EXPECT_LT(erased, 130);
}

TEST(Augmenter, CutoutBlanksASquareThatTheBorderMayClip) {
  const auto set = White(32);
  std::set<std::ptrdiff_t> areas;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto blank = Blank(Apply(set, {0, false, 0, 0.33, 8}, 32, seed));
    areas.insert(std::count(blank.begin(), blank.end(), true));
  }
  EXPECT_EQ(*areas.rbegin(), 64);
  EXPECT_GE(*areas.begin(), 16);
  EXPECT_GT(areas.size(), 2u);
}

TEST(Sampler, SeeksToAnyDraw) {
  std::vector<std::int64_t> indices(7);
  std::iota(indices.begin(), indices.end(), 100);
  Sampler walked(indices, 5, 4);
  for (std::int64_t draws = 0; draws < 30; ++draws) {
    Sampler sought(indices, 5, 4);
    sought.Seek(draws);
    const auto a = walked.Next(), b = sought.Next();
    EXPECT_EQ(a.image, b.image) << draws;
    EXPECT_EQ(a.epoch, b.epoch) << draws;
    EXPECT_EQ(a.position, b.position) << draws;
  }
}

}  // namespace
}  // namespace oqat::supernet
