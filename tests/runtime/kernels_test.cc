// Every instruction set gives the bits of the portable kernels, and those are right.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/runtime/kernel_operands.h"

namespace oqat::runtime {
namespace {

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
template <class Run, class Sums>
void ExpectKeptSumsFinishAlike(int channels, std::int64_t pixels, Operands& operands, Run&& run,
                               Sums&& sums) {
  const auto count = static_cast<std::size_t>(channels * PlanePixels(pixels));
  const std::vector<float> scale = operands.Floats(channels, 0.01F);
  const std::vector<float> bias = operands.Floats(channels, 1);
  for (const Isa isa : AvailableIsas()) {
    const Kernels& kernels = KernelsFor(isa);
    std::vector<std::int64_t> sum(static_cast<std::size_t>(channels));
    std::vector<std::uint64_t> squares(sum.size());
    std::vector<std::int16_t> kept(count);
    sums(kernels, ChannelSums{sum.data(), squares.data(), kept.data(), PlanePixels(pixels)});
    std::vector<std::uint8_t> direct(count), later(count);
    Finish finish;
    finish.scale = scale.data();
    finish.bias = bias.data();
    finish.rectifier = Rectifier::kHSwish;
    finish.plane = PlanePixels(pixels);
    finish.sixth = 0.1F;
    finish.high = 15;
    finish.codes = direct.data();
    run(kernels, finish);
    finish.codes = later.data();
    kernels.finish_sums(kept.data(), pixels, channels, finish);
    for (int c = 0; c < channels; ++c) {
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
  // Around where kernels change: few inputs, a Gram matrix (128), sums of 16 bits (272), one chunk
  // of inputs (512).
  const std::vector<PointwiseCase> cases{
      {8, 8, 8, 1, 4},       {24, 40, 32, 37, 4},   {8, 24, 8, 38, 4},      {16, 8, 16, 1023, 4},
      {16, 24, 16, 64, 2},   {32, 24, 32, 70, 4},   {40, 16, 48, 33, 3},    {128, 24, 128, 300, 4},
      {136, 16, 136, 11, 4}, {264, 16, 272, 13, 4}, {272, 24, 272, 9, 4},   {280, 16, 280, 9, 4},
      {512, 24, 512, 6, 4},  {520, 8, 520, 7, 4},   {1160, 16, 1160, 9, 4}, {32, 16, 32, 9, 5},
      {48, 8, 64, 21, 8},    {960, 24, 960, 5, 8}};
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
      const auto run = [&](const Kernels& k, const Finish& finish) { k.pointwise(conv, finish); };
      const auto add = [&](const Kernels& k, const ChannelSums& sums) {
        k.pointwise_sums(conv, sums);
      };
      CompareIsas(test.out, test.pixels, test.bits, operands, run, add);
      if (conv.narrow && test.in <= kMostSmallInputs) {
        ExpectKeptSumsFinishAlike(test.out, test.pixels, operands, run, add);
      }
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
          const auto run = [&](const Kernels& k, const Finish& f) { k.depthwise(conv, f); };
          const auto add = [&](const Kernels& k, const ChannelSums& sums) {
            k.depthwise_sums(conv, sums);
          };
          CompareIsas(conv.channels, pixels, bits, operands, run, add);
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
          if (conv.narrow) {
            ExpectKeptSumsFinishAlike(conv.channels, pixels, operands, run, add);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace oqat::runtime
