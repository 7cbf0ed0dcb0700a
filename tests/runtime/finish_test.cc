// Small maps, the written-down chain of a finish, and float kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "runtime/layers.h"
#include "tests/runtime/kernel_operands.h"

namespace oqat::runtime {
namespace {

TEST(Kernels, SmallMapsAreDepthwiseConvolutions) {
  for (const int size : {1, 2, 3, 4, 5, 6}) {
    for (const int stride : {1, 2}) {
      SCOPED_TRACE("size " + std::to_string(size) + " stride " + std::to_string(stride));
      Operands operands(17);
      SmallMap conv;
      conv.images = 3;
      conv.channels = 16;
      conv.in_pixels = size * size;
      const int out_size = (size - 1) / stride + 1;
      conv.out_pixels = out_size * out_size;
      conv.in_plane = PlanePixels(conv.images * conv.in_pixels);
      const auto in = operands.Codes(conv.channels * conv.in_plane, 4);
      auto weights = operands.Weights(2 * MapWeightBytes(conv.in_pixels, conv.out_pixels), 4);
      // Input pixels beyond the map have no weight.
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const int at = static_cast<int>(i) % (MapVectors(conv.in_pixels) * 32);
        if (at / 16 * 2 + at % 2 >= conv.in_pixels) weights[i] = 0;
      }
      conv.in = in.data();
      conv.weights = weights.data();
      CompareIsas(
          conv.channels, conv.images * conv.out_pixels, 4, operands,
          [&](const Kernels& k, const Finish& finish) { k.small_map(conv, finish); },
          [&](const Kernels& k, const ChannelSums& sums) { k.small_map_sums(conv, sums); });
      std::vector<std::int64_t> sum(16);
      std::vector<std::uint64_t> squares(16);
      KernelsFor(DefaultIsa()).small_map_sums(conv, {sum.data(), squares.data()});
      for (int c = 0; c < conv.channels; ++c) {
        std::int64_t expected = 0;
        for (std::int64_t n = 0; n < conv.images; ++n) {
          for (int out = 0; out < conv.out_pixels; ++out) {
            const std::int8_t* of_output =
                weights.data() + c / kBlock * MapWeightBytes(conv.in_pixels, conv.out_pixels) +
                out * MapVectors(conv.in_pixels) * 32;
            for (int p = 0; p < conv.in_pixels; ++p) {
              const std::int64_t pixel = c / kBlock * conv.in_plane + n * conv.in_pixels + p;
              expected += in[static_cast<std::size_t>(pixel * kBlock + c % kBlock)] *
                          of_output[p / 2 * 16 + c % kBlock * 2 + p % 2];
            }
          }
        }
        ASSERT_EQ(sum[static_cast<std::size_t>(c)], expected);
      }
    }
  }
}

TEST(Kernels, WeightsOfSmallMapsAreTheTaps) {
  constexpr int kChannels = 16, kImages = 2;
  for (const int kernel : {3, 5, 7}) {
    for (const int stride : {1, 2}) {
      for (const int size : {1, 2, 3, 4, 5, 6}) {
        SCOPED_TRACE("kernel " + std::to_string(kernel) + " stride " + std::to_string(stride) +
                     " size " + std::to_string(size));
        Operands operands(23);
        // As a checkpoint has them: [channels][kernel][kernel]; then packed as kernels.h says.
        const auto taps = operands.Weights(kChannels * kernel * kernel, 4);
        const auto tap = [&](int c, int y, int x) { return taps[(c * kernel + y) * kernel + x]; };
        std::vector<std::int8_t> packed;
        for (int block = 0; block < kChannels / kBlock; ++block) {
          for (int row = 0; row < RowPairs(kernel) * 2; row += 2) {
            for (int x = 0; x < kernel; ++x) {
              for (int c = block * kBlock; c < (block + 1) * kBlock; ++c) {
                packed.push_back(tap(c, row, x));
                packed.push_back(row + 1 < kernel ? tap(c, row + 1, x) : std::int8_t{0});
              }
            }
          }
        }
        const auto weights = MapWeights(packed, kChannels, kernel, stride, size);
        const int out_size = (size - 1) / stride + 1;
        SmallMap conv;
        conv.images = kImages;
        conv.channels = kChannels;
        conv.in_pixels = size * size;
        conv.out_pixels = out_size * out_size;
        conv.in_plane = PlanePixels(kImages * conv.in_pixels);
        const auto in = operands.Codes(kChannels * conv.in_plane, 4);
        conv.in = in.data();
        conv.weights = weights.data();
        const std::int64_t plane = PlanePixels(kImages * conv.out_pixels);
        std::vector<std::int64_t> sum(kChannels);
        std::vector<std::uint64_t> squares(kChannels);
        std::vector<std::int16_t> kept(static_cast<std::size_t>(kChannels * plane));
        KernelsFor(DefaultIsa())
            .small_map_sums(conv, {sum.data(), squares.data(), kept.data(), plane});
        for (int c = 0; c < kChannels; ++c) {
          for (int n = 0; n < kImages; ++n) {
            for (int out = 0; out < conv.out_pixels; ++out) {
              int expected = 0;
              for (int y = 0; y < size; ++y) {
                for (int x = 0; x < size; ++x) {
                  const int ky = y - out / out_size * stride + kernel / 2;
                  const int kx = x - out % out_size * stride + kernel / 2;
                  if (ky < 0 || kx < 0 || ky >= kernel || kx >= kernel) continue;
                  const std::int64_t pixel =
                      c / kBlock * conv.in_plane + n * conv.in_pixels + y * size + x;
                  expected +=
                      in[static_cast<std::size_t>(pixel * kBlock + c % kBlock)] * tap(c, ky, kx);
                }
              }
              const std::int64_t pixel = c / kBlock * plane + n * conv.out_pixels + out;
              ASSERT_EQ(kept[static_cast<std::size_t>(pixel * kBlock + c % kBlock)], expected);
            }
          }
        }
      }
    }
  }
}

/// kernels.h, word by word.
int CodeOf(float sum, float scale, float bias, const Finish& finish, bool alone, float& y) {
  const bool swish = finish.rectifier == Rectifier::kHSwish;
  const auto code = [&](float x) {
    return static_cast<int>(std::nearbyint(std::clamp(x, 0.0F, static_cast<float>(finish.high))));
  };
  y = std::fma(sum, scale, bias);
  if (alone) return code(swish ? std::min(y, y * std::fma(y, finish.sixth, 0.5F)) : y);
  if (finish.rectifier == Rectifier::kRelu) y = std::max(y, 0.0F);
  if (swish) y *= std::clamp(std::fma(y, 1.0F / 6, 0.5F), 0.0F, 1.0F);
  return code(std::fma(y, finish.inverse_step, finish.offset));
}

TEST(Kernels, FinishIsWhatIsWrittenDown) {
  constexpr int kPixels = 37;
  constexpr std::int64_t kPlane = PlanePixels(kPixels);
  Operands operands(19);
  const auto in = operands.Floats(kBlock * kPlane, 40);
  const auto scale = operands.Floats(kBlock, 0.3F), bias = operands.Floats(kBlock, 3);
  for (const Rectifier rectifier : {Rectifier::kNone, Rectifier::kRelu, Rectifier::kHSwish}) {
    for (const bool alone : {true, false}) {
      std::vector<std::uint8_t> codes(kBlock * kPlane);
      std::vector<float> real(kBlock * kPlane);
      Finish finish;
      finish.scale = scale.data();
      finish.bias = bias.data();
      finish.rectifier = rectifier;
      finish.plane = kPlane;
      finish.codes = codes.data();
      if (!alone) finish.real = real.data();
      finish.inverse_step = 1.3F;
      finish.sixth = 1 / (6 * 1.3F);
      finish.offset = alone ? 0 : 8;
      finish.high = 15;
      KernelsFor(DefaultIsa()).finish(in.data(), kPixels, kBlock, finish);
      for (std::size_t i = 0; i < kPixels * kBlock; ++i) {
        float y = 0;
        EXPECT_EQ(codes[i], CodeOf(in[i], scale[i % kBlock], bias[i % kBlock], finish, alone, y));
        if (!alone) {
          EXPECT_EQ(real[i], y);
        }
      }
    }
  }
}

TEST(Kernels, WhatIsNoNumberHasCode0) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  constexpr int kPixels = 4;
  constexpr std::int64_t kPlane = PlanePixels(kPixels);
  constexpr int kHigh = 15;
  std::vector<float> in(kBlock * kPlane, 1);
  const std::vector<float> first{kNone, kInfinity, -kInfinity, 1e30F, -1e30F, 3, 0, -3};
  std::copy(first.begin(), first.end(), in.begin());
  const std::vector<int> expected{0, kHigh, 0, kHigh, 0, 3, 0, 0};
  const std::vector<float> ones(kBlock, 1), zeros(kBlock, 0), open(kBlock * PlanePixels(1), 3);
  for (const Isa isa : AvailableIsas()) {
    const Kernels& kernels = KernelsFor(isa);
    std::vector<std::uint8_t> codes(kBlock * kPlane);
    std::vector<float> real(kBlock * kPlane);
    Finish finish;
    finish.scale = ones.data();
    finish.bias = zeros.data();
    finish.plane = kPlane;
    finish.codes = codes.data();
    finish.sixth = 1.0F / 6;
    finish.high = kHigh;
    const auto got = [&] { return std::vector<int>(codes.begin(), codes.begin() + kBlock); };
    for (const Rectifier rectifier : {Rectifier::kNone, Rectifier::kRelu, Rectifier::kHSwish}) {
      for (const bool alone : {true, false}) {
        SCOPED_TRACE(std::string(IsaName(isa)) + " " + std::to_string(static_cast<int>(rectifier)) +
                     (alone ? " alone" : ""));
        finish.rectifier = rectifier;
        finish.real = alone ? nullptr : real.data();
        kernels.finish(in.data(), kPixels, kBlock, finish);
        EXPECT_EQ(got(), expected);
      }
    }
    finish.real = nullptr;
    kernels.gate(in.data(), kPlane, 1, kPixels, kBlock, open.data(), PlanePixels(1), finish);
    EXPECT_EQ(got(), expected) << IsaName(isa);
  }
}

TEST(Kernels, FloatKernelsGiveTheSameBitsEverywhere) {
  Operands operands(13);
  constexpr int kImages = 3, kSize = 9, kOut = 24;
  for (const int stride : {1, 2}) {
    Stem stem;
    stem.size = kSize;
    stem.stride = stride;
    stem.out_size = (kSize - 1) / stride + 1;
    stem.row = kSize + 2 + 4 * stride;
    stem.images = kImages;
    stem.out_channels = kOut;
    stem.plane = PlanePixels(kImages * stem.out_size * stem.out_size);
    const auto in = operands.Floats(kImages * 3 * (kSize + 2) * stem.row, 1);
    const auto weights = operands.Floats(kOut * 27, 1);
    stem.in = in.data();
    stem.weights = weights.data();
    std::vector<std::vector<float>> results;
    for (const Isa isa : AvailableIsas()) {
      results.emplace_back(static_cast<std::size_t>(kOut * stem.plane));
      stem.out = results.back().data();
      KernelsFor(isa).stem(stem);
      EXPECT_EQ(results.back(), results.front()) << IsaName(isa);
      // Finishing at once is finishing later.
      const std::vector<float> scale = operands.Floats(kOut, 1), bias = operands.Floats(kOut, 1);
      const std::int64_t pixels = kImages * stem.out_size * stem.out_size;
      std::vector<std::uint8_t> later(static_cast<std::size_t>(kOut * stem.plane)), now(later);
      Finish finish;
      finish.scale = scale.data();
      finish.bias = bias.data();
      finish.rectifier = Rectifier::kHSwish;
      finish.plane = stem.plane;
      finish.sixth = 0.1F;
      finish.high = 15;
      finish.codes = later.data();
      KernelsFor(isa).finish(stem.out, pixels, kOut, finish);
      finish.codes = now.data();
      KernelsFor(isa).stem_finish(stem, finish);
      for (int block = 0; block < kOut / kBlock; ++block) {
        const auto begin = block * stem.plane * kBlock, end = begin + pixels * kBlock;
        EXPECT_TRUE(std::equal(now.begin() + begin, now.begin() + end, later.begin() + begin));
      }
    }
  }
  Dense dense;
  dense.pixels = 7;
  dense.in_plane = dense.plane = PlanePixels(7);
  dense.in_channels = 32;
  dense.out_channels = kOut;
  dense.weight_block = 40 * kBlock;
  const auto in = operands.Floats(32 * dense.in_plane, 1);
  const auto weights = operands.Floats(40 * kOut, 1);
  const auto bias = operands.Floats(kOut, 1);
  dense.in = in.data();
  dense.weights = weights.data();
  dense.bias = bias.data();
  std::vector<std::vector<float>> results, pools;
  for (const Isa isa : AvailableIsas()) {
    results.emplace_back(static_cast<std::size_t>(kOut * dense.plane));
    dense.out = results.back().data();
    KernelsFor(isa).dense(dense);
    EXPECT_EQ(results.back(), results.front()) << IsaName(isa);
    pools.emplace_back(static_cast<std::size_t>(32 * PlanePixels(2)));
    KernelsFor(isa).pool(in.data(), dense.in_plane, 2, 3, 32, pools.back().data(), PlanePixels(2));
    EXPECT_EQ(pools.back(), pools.front()) << IsaName(isa);
  }
  std::vector<std::vector<double>> moments;
  for (const Isa isa : AvailableIsas()) {
    moments.emplace_back(64);
    KernelsFor(isa).moments(in.data(), dense.in_plane, 7, 32, moments.back().data(),
                            moments.back().data() + 32);
    EXPECT_EQ(moments.back(), moments.front()) << IsaName(isa);
  }
  for (int c = 0; c < 32; ++c) {
    double mean = 0, variance = 0;
    const auto value = [&](int p) {
      return static_cast<double>(
          in[static_cast<std::size_t>((c / kBlock * dense.in_plane + p) * kBlock + c % kBlock)]);
    };
    for (int p = 0; p < 7; ++p) mean += value(p) / 7;
    for (int p = 0; p < 7; ++p) variance += (value(p) - mean) * (value(p) - mean) / 7;
    EXPECT_NEAR(moments.front()[static_cast<std::size_t>(c)], mean, 1e-12);
    EXPECT_NEAR(moments.front()[static_cast<std::size_t>(32 + c)], variance, 1e-12);
  }
}

}  // namespace
}  // namespace oqat::runtime
