// Every instruction set gives the bits of the portable kernels, and those are right.
#include "runtime/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"

namespace oqat::runtime {
namespace {

/// Random operands and outputs of one shape.
class Operands {
 public:
  explicit Operands(std::uint64_t seed) : random_(seed) {}

  std::vector<std::uint8_t> Codes(std::int64_t count, int bits) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(count));
    for (auto& code : codes) code = static_cast<std::uint8_t>(random_.Below(1U << bits));
    return codes;
  }
  std::vector<std::int8_t> Weights(std::int64_t count, int bits) {
    std::vector<std::int8_t> weights(static_cast<std::size_t>(count));
    for (auto& weight : weights) {
      weight =
          static_cast<std::int8_t>(static_cast<int>(random_.Below(1U << bits)) - (1 << (bits - 1)));
    }
    return weights;
  }
  std::vector<float> Floats(std::int64_t count, float size) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (auto& value : values) value = size * static_cast<float>(random_.Normal());
    return values;
  }

 private:
  RandomStream random_;
};

struct Outputs {
  std::vector<std::uint8_t> codes;
  std::vector<float> real;
  std::vector<std::int64_t> sum;
  std::vector<std::uint64_t> squares;
};

/// Ends a convolution in every way and compares with the portable kernels. `run` is called with a
/// table and a Finish, `sums` with a table and ChannelSums.
template <class Run, class Sums>
void CompareIsas(int channels, std::int64_t pixels, int bits, Operands& operands, Run&& run,
                 Sums&& sums) {
  const std::int64_t plane = PlanePixels(pixels);
  const std::vector<float> scale = operands.Floats(channels, 0.01F);
  const std::vector<float> bias = operands.Floats(channels, 1);
  const std::vector<float> shortcut = operands.Floats(channels * plane, 1);
  for (const Rectifier rectifier : {Rectifier::kNone, Rectifier::kRelu, Rectifier::kHSwish}) {
    for (int outputs = 1; outputs <= 3; ++outputs) {
      const auto measure = [&](Isa isa) {
        Outputs out;
        out.codes.resize(static_cast<std::size_t>(channels * plane));
        out.real.resize(static_cast<std::size_t>(channels * plane));
        Finish finish;
        finish.scale = scale.data();
        finish.bias = bias.data();
        finish.rectifier = rectifier;
        finish.plane = plane;
        finish.inverse_step = 3.7F;
        finish.sixth = 1 / (6 * 3.7F);
        finish.high = outputs == 1 ? (1 << bits) - 1 : 15;
        finish.offset = outputs == 1 ? 0 : 8;
        if ((outputs & 1) != 0) finish.codes = out.codes.data();
        if ((outputs & 2) != 0) {
          finish.real = out.real.data();
          finish.shortcut = shortcut.data();
        }
        run(KernelsFor(isa), finish);
        out.sum.resize(static_cast<std::size_t>(channels));
        out.squares.resize(static_cast<std::size_t>(channels));
        sums(KernelsFor(isa), ChannelSums{out.sum.data(), out.squares.data()});
        return out;
      };
      const Outputs expected = measure(Isa::kPortable);
      for (const Isa isa : AvailableIsas()) {
        SCOPED_TRACE(std::string(IsaName(isa)));
        const Outputs got = measure(isa);
        ASSERT_EQ(got.sum, expected.sum);
        ASSERT_EQ(got.squares, expected.squares);
        for (int block = 0; block < channels / kBlock; ++block) {
          for (std::int64_t i = 0; i < pixels * kBlock; ++i) {
            const auto at = static_cast<std::size_t>(block * plane * kBlock + i);
            ASSERT_EQ(got.codes[at], expected.codes[at]) << at;
            ASSERT_EQ(got.real[at], expected.real[at]) << at;
          }
        }
      }
    }
  }
}

/// The sums that a convolution must give, from its definition.
std::int64_t PointwiseSum(const Pointwise& conv, int out, std::int64_t pixel) {
  std::int64_t sum = 0;
  for (int k = 0; k < conv.in_channels; ++k) {
    const std::int64_t code = conv.in[(k / kBlock * conv.in_plane + pixel) * kBlock + k % kBlock];
    sum += code * conv.weights[out / kBlock * conv.weight_block +
                               (k / 4 * kBlock + out % kBlock) * 4 + k % 4];
  }
  return sum;
}

std::int64_t DepthwiseSum(const Depthwise& conv, int c, std::int64_t image, int y, int x) {
  std::int64_t sum = 0;
  for (int ky = 0; ky < conv.kernel; ++ky) {
    for (int kx = 0; kx < conv.kernel; ++kx) {
      const int iy = y * conv.stride + ky - conv.kernel / 2;
      const int ix = x * conv.stride + kx - conv.kernel / 2;
      if (iy < 0 || ix < 0 || iy >= conv.size || ix >= conv.size) continue;
      const std::int64_t pixel = (image * conv.size + iy) * conv.size + ix;
      const std::int64_t code = conv.in[(c / kBlock * conv.in_plane + pixel) * kBlock + c % kBlock];
      const int tap = (c / kBlock * RowPairs(conv.kernel) + ky / 2) * conv.kernel + kx;
      sum += code * conv.weights[(tap * kBlock + c % kBlock) * 2 + ky % 2];
    }
  }
  return sum;
}

/// Finishing the sums that a first pass kept is finishing the convolution.
void ExpectKeptSumsFinishAlike(const Depthwise& conv, Operands& operands) {
  const std::int64_t pixels = conv.images * conv.out_size * conv.out_size;
  const auto count = static_cast<std::size_t>(conv.channels * PlanePixels(pixels));
  const std::vector<float> scale = operands.Floats(conv.channels, 0.01F);
  const std::vector<float> bias = operands.Floats(conv.channels, 1);
  for (const Isa isa : AvailableIsas()) {
    const Kernels& kernels = KernelsFor(isa);
    std::vector<std::int64_t> sum(static_cast<std::size_t>(conv.channels));
    std::vector<std::uint64_t> squares(sum.size());
    std::vector<std::int16_t> kept(count);
    kernels.depthwise_sums(conv, {sum.data(), squares.data(), kept.data(), PlanePixels(pixels)});
    std::vector<std::uint8_t> direct(count), later(count);
    Finish finish;
    finish.scale = scale.data();
    finish.bias = bias.data();
    finish.rectifier = Rectifier::kHSwish;
    finish.plane = PlanePixels(pixels);
    finish.sixth = 0.1F;
    finish.high = 15;
    finish.codes = direct.data();
    kernels.depthwise(conv, finish);
    finish.codes = later.data();
    kernels.finish_sums(kept.data(), pixels, conv.channels, finish);
    for (int c = 0; c < conv.channels; ++c) {
      for (std::int64_t p = 0; p < pixels; ++p) {
        const auto at =
            static_cast<std::size_t>((c / kBlock * finish.plane + p) * kBlock + c % kBlock);
        ASSERT_EQ(later[at], direct[at]) << IsaName(isa) << " " << at;
      }
    }
  }
}

struct PointwiseCase {
  int in, out, full_in;
  std::int64_t pixels;
  int bits;
};

TEST(Kernels, PointwiseIsExactEverywhere) {
  const std::vector<PointwiseCase> cases{
      {8, 8, 8, 1, 4},     {24, 40, 32, 37, 4},    {8, 24, 8, 38, 4},  {16, 8, 16, 1023, 4},
      {16, 24, 16, 64, 2}, {1160, 16, 1160, 9, 4}, {48, 8, 64, 21, 8}, {960, 24, 960, 5, 8}};
  for (const PointwiseCase& test : cases) {
    SCOPED_TRACE(std::to_string(test.in) + "->" + std::to_string(test.out) + " " +
                 std::to_string(test.bits) + " bit");
    Operands operands(7);
    Pointwise conv;
    conv.in_plane = PlanePixels(test.pixels);
    conv.pixels = test.pixels;
    conv.in_channels = test.in;
    conv.out_channels = test.out;
    conv.weight_block = std::int64_t{test.full_in} * kBlock;
    conv.narrow = test.bits <= 4;
    // All codes and weights at their ends at once are the worst case of 16-bit sums.
    for (const bool extreme : {false, true}) {
      auto in = operands.Codes(test.in * conv.in_plane, test.bits);
      auto weights = operands.Weights(std::int64_t{test.full_in} * test.out, test.bits);
      if (extreme) {
        in.assign(in.size(), static_cast<std::uint8_t>((1 << test.bits) - 1));
        weights.assign(weights.size(), static_cast<std::int8_t>(-(1 << (test.bits - 1))));
      }
      conv.in = in.data();
      conv.weights = weights.data();
      CompareIsas(
          test.out, test.pixels, test.bits, operands,
          [&](const Kernels& k, const Finish& finish) { k.pointwise(conv, finish); },
          [&](const Kernels& k, const ChannelSums& sums) { k.pointwise_sums(conv, sums); });
      std::vector<std::int64_t> sum(static_cast<std::size_t>(test.out));
      std::vector<std::uint64_t> squares(sum.size());
      KernelsFor(DefaultIsa()).pointwise_sums(conv, {sum.data(), squares.data()});
      if (conv.narrow && test.in <= kMostGramInputs) {
        std::vector<double> scratch(static_cast<std::size_t>(GramScratch(test.in)));
        conv.scratch = scratch.data();
        for (const Isa isa : AvailableIsas()) {
          std::vector<std::int64_t> gram_sum(sum.size());
          std::vector<std::uint64_t> gram_squares(sum.size());
          KernelsFor(isa).pointwise_gram(conv, {gram_sum.data(), gram_squares.data()});
          ASSERT_EQ(gram_sum, sum) << IsaName(isa);
          ASSERT_EQ(gram_squares, squares) << IsaName(isa);
        }
      }
      for (int o = 0; o < test.out; ++o) {
        std::int64_t expected = 0;
        std::uint64_t expected_squares = 0;
        for (std::int64_t p = 0; p < test.pixels; ++p) {
          const std::int64_t value = PointwiseSum(conv, o, p);
          expected += value;
          expected_squares += static_cast<std::uint64_t>(value * value);
        }
        ASSERT_EQ(sum[static_cast<std::size_t>(o)], expected);
        ASSERT_EQ(squares[static_cast<std::size_t>(o)], expected_squares);
      }
    }
  }
}

TEST(Kernels, DepthwiseIsExactEverywhere) {
  for (const int kernel : {3, 5, 7}) {
    for (const int stride : {1, 2}) {
      for (const int size : {1, 2, 5, 8, 19}) {
        for (const int bits : {4, 8}) {
          SCOPED_TRACE("kernel " + std::to_string(kernel) + " stride " + std::to_string(stride) +
                       " size " + std::to_string(size) + " bits " + std::to_string(bits));
          Operands operands(11);
          Depthwise conv;
          conv.images = 3;
          conv.channels = 16;
          conv.size = size;
          conv.out_size = (size - 1) / stride + 1;
          conv.kernel = kernel;
          conv.stride = stride;
          conv.narrow = bits <= 4;
          conv.in_plane = PlanePixels(conv.images * size * size);
          const auto in = operands.Codes(conv.channels * conv.in_plane, bits);
          auto weights =
              operands.Weights(conv.channels / kBlock * DepthwiseWeightBytes(kernel), bits);
          for (std::size_t i = 0; i < weights.size(); ++i) {
            const int row =
                static_cast<int>(i) % DepthwiseWeightBytes(kernel) / (kernel * kBlock * 2) * 2 +
                static_cast<int>(i % 2);
            if (row >= kernel) weights[i] = 0;
          }
          std::vector<std::uint8_t> scratch(static_cast<std::size_t>(DepthwiseScratch(conv)));
          conv.in = in.data();
          conv.weights = weights.data();
          conv.scratch = scratch.data();
          const std::int64_t pixels = conv.images * conv.out_size * conv.out_size;
          CompareIsas(
              conv.channels, pixels, bits, operands,
              [&](const Kernels& k, const Finish& finish) { k.depthwise(conv, finish); },
              [&](const Kernels& k, const ChannelSums& sums) { k.depthwise_sums(conv, sums); });
          std::vector<std::int64_t> sum(static_cast<std::size_t>(conv.channels));
          std::vector<std::uint64_t> squares(sum.size());
          KernelsFor(DefaultIsa()).depthwise_sums(conv, {sum.data(), squares.data()});
          for (int c = 0; c < conv.channels; ++c) {
            std::int64_t expected = 0;
            for (std::int64_t n = 0; n < conv.images; ++n) {
              for (int y = 0; y < conv.out_size; ++y) {
                for (int x = 0; x < conv.out_size; ++x) expected += DepthwiseSum(conv, c, n, y, x);
              }
            }
            ASSERT_EQ(sum[static_cast<std::size_t>(c)], expected);
          }
          if (conv.narrow) ExpectKeptSumsFinishAlike(conv, operands);
        }
      }
    }
  }
}

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
        if (!alone) EXPECT_EQ(real[i], y);
      }
    }
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
