#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/kernels.h"

// Random operands for kernels, and the comparison of all instruction sets on them.
namespace oqat::runtime {

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

}  // namespace oqat::runtime
