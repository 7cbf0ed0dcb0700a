// The kernels of the training step against LibTorch's operations in float64.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "supernet/batch_norm.h"
#include "supernet/channel_means.h"
#include "supernet/depthwise.h"
#include "supernet/lsq.h"
#include "supernet/pointwise.h"

namespace oqat::supernet {
namespace {

torch::Tensor Normal(std::vector<std::int64_t> shape, std::uint64_t seed) {
  torch::Tensor x = torch::empty(shape);
  RandomStream random(seed);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.data_ptr<float>()[i] = static_cast<float>(random.Normal());
  }
  return x;
}

torch::Tensor ChannelsLast(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

double RelativeDifference(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

using Inputs = std::vector<torch::Tensor>;

/// The output, then the gradient of every input, for the upstream gradient `above`.
Inputs Results(const std::function<torch::Tensor(const Inputs&)>& function, const Inputs& inputs,
               const torch::Tensor& above) {
  Inputs leaves;
  for (const torch::Tensor& input : inputs) {
    leaves.push_back(input.detach().clone().requires_grad_());
  }
  const torch::Tensor out = function(leaves);
  out.backward(above.to(out.scalar_type()));
  Inputs results{out.detach()};
  for (const torch::Tensor& leaf : leaves) results.push_back(leaf.grad());
  return results;
}

Inputs ToDouble(const Inputs& inputs) {
  Inputs doubles;
  for (const torch::Tensor& input : inputs) doubles.push_back(input.to(torch::kFloat64));
  return doubles;
}

/// Bit for bit the same results with every number of threads, and when repeated.
void ExpectSameBitsOnEveryNumberOfThreads(const std::function<torch::Tensor(const Inputs&)>& run,
                                          const Inputs& inputs, const torch::Tensor& above) {
  at::set_num_threads(1);
  const Inputs one = Results(run, inputs, above);
  for (const int threads : {2, 3, 1}) {
    at::set_num_threads(threads);
    const Inputs other = Results(run, inputs, above);
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_TRUE(torch::equal(one[i], other[i])) << threads << " threads, result " << i;
    }
  }
  at::set_num_threads(1);
}

struct PointwiseCase {
  int images, size, in, out;
};

class PointwiseTest : public testing::TestWithParam<PointwiseCase> {};

TEST_P(PointwiseTest, EqualsLibTorch) {
  const auto [images, size, in, out] = GetParam();
  const Inputs inputs{ChannelsLast(Normal({images, in, size, size}, 1)),
                      Normal({out, in, 1, 1}, 2)};
  // A gradient in another layout than the output's, as a view gives it.
  const torch::Tensor above = Normal({images, out, size, size}, 3);
  const auto run = [](const Inputs& v) { return PointwiseConv(v[0], v[1]); };
  const Inputs ours = Results(run, inputs, above);
  const Inputs exact =
      Results([](const Inputs& v) { return torch::conv2d(v[0], v[1]); }, ToDouble(inputs), above);
  EXPECT_TRUE(ours[0].is_contiguous(torch::MemoryFormat::ChannelsLast));
  for (std::size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(ours[i].sizes(), exact[i].sizes());
    EXPECT_LE(RelativeDifference(ours[i], exact[i]), 3e-6) << i;
  }
  // LibTorch, which takes other channel counts, promises nothing about threads.
  if (in % 4 == 0 && out % 4 == 0) ExpectSameBitsOnEveryNumberOfThreads(run, inputs, above);
  EXPECT_LE(RelativeDifference(Results(run, ToDouble(inputs), above)[1], exact[1]), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Shapes, PointwiseTest,
                         testing::Values(PointwiseCase{2, 9, 8, 32}, PointwiseCase{3, 7, 32, 8},
                                         PointwiseCase{1, 1, 16, 24}, PointwiseCase{5, 1, 256, 320},
                                         PointwiseCase{9, 13, 12, 48}, PointwiseCase{2, 5, 20, 12},
                                         PointwiseCase{1, 3, 4, 4}, PointwiseCase{2, 4, 28, 20},
                                         PointwiseCase{2, 4, 7, 9}, PointwiseCase{4, 40, 8, 16}));

TEST(Pointwise, SlicedWeightsAndOtherLayouts) {
  const torch::Tensor weight = Normal({24, 32, 1, 1}, 2).narrow(0, 0, 16).narrow(1, 0, 8);
  const torch::Tensor x = Normal({2, 8, 5, 5}, 1);  // rows of pixels, not of channels
  const torch::Tensor ours = PointwiseConv(x, weight);
  EXPECT_LE(RelativeDifference(ours, torch::conv2d(x, weight)), 1e-6);
}

struct NormCase {
  int images, size, channels;
  Rectifier rectifier;
  bool quantize, residual;
};

class BatchNormTest : public testing::TestWithParam<NormCase> {};

/// BatchNorm written out: no call that the code under test might share.
torch::Tensor PlainNorm(const Inputs& v, const NormCase& c, const LsqRange& range) {
  const torch::Tensor mean = v[0].mean({0, 2, 3}, true);
  const torch::Tensor variance = (v[0] - mean).square().mean({0, 2, 3}, true);
  torch::Tensor y = (v[0] - mean) / (variance + 1e-5).sqrt() * v[1].view({1, -1, 1, 1}) +
                    v[2].view({1, -1, 1, 1});
  if (c.rectifier == Rectifier::kRelu) y = torch::relu(y);
  if (c.rectifier == Rectifier::kHSwish) y = torch::hardswish(y);
  if (c.quantize) y = LsqQuantize(y, v[3], range);
  return c.residual ? y + v.back() : y;
}

TEST_P(BatchNormTest, EqualsTensorOperationsInFloat64) {
  const NormCase c = GetParam();
  const std::vector<std::int64_t> shape{c.images, c.channels, c.size, c.size};
  // Means far from 0, as sums over channels have them.
  Inputs inputs{ChannelsLast(Normal(shape, 1) * 0.7 + 5), Normal({c.channels}, 2) * 0.2 + 1,
                Normal({c.channels}, 3) * 0.5};
  if (c.quantize) inputs.push_back(torch::full({1}, 0.23F));
  if (c.residual) inputs.push_back(Normal(shape, 4));
  const torch::Tensor above = Normal(shape, 5);
  const LsqRange range = ActivationCodes(4, c.rectifier == Rectifier::kNone);
  torch::Tensor mean, variance;
  const auto run = [&](const Inputs& v) {
    mean = torch::full({c.channels}, 2.0, v[0].options());
    variance = torch::full({c.channels}, 3.0, v[0].options());
    Epilogue epilogue{c.rectifier, {}, {}, range};
    if (c.quantize) epilogue.step = v[3];
    if (c.residual) epilogue.residual = v.back();
    return TrainingBatchNorm(v[0], v[1], v[2], mean, variance, 0.1, 1e-5, epilogue);
  };
  const Inputs ours = Results(run, inputs, above);
  const Inputs doubles = ToDouble(inputs);
  const Inputs exact =
      Results([&](const Inputs& v) { return PlainNorm(v, c, range); }, doubles, above);
  EXPECT_TRUE(ours[0].is_contiguous(torch::MemoryFormat::ChannelsLast));
  // A value at a rounding tie or at the edge of the range may fall the other way.
  const double share = c.quantize ? 0.002 : 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    ASSERT_EQ(ours[i].sizes(), exact[i].sizes());
    const torch::Tensor difference = (ours[i] - exact[i]).abs() / exact[i].abs().max();
    const double apart = (difference > 2e-5).to(torch::kFloat64).mean().item<double>();
    if (i < 2) {
      EXPECT_LE(apart, share) << i;
    } else {
      EXPECT_LE(difference.max().item<double>(), c.quantize ? 5e-3 : 2e-5) << i;
    }
  }
  const torch::Tensor x = doubles[0];
  EXPECT_LE(RelativeDifference(mean, 1.8 + 0.1 * x.mean({0, 2, 3})), 1e-6);
  EXPECT_LE(RelativeDifference(variance, 2.7 + 0.1 * x.var({0, 2, 3}, true)), 1e-6);
  if (c.channels % 4 == 0) ExpectSameBitsOnEveryNumberOfThreads(run, inputs, above);
  // The way through LibTorch gives the same.
  const Inputs other = Results(run, doubles, above);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_LE(RelativeDifference(other[i], exact[i]), 1e-9) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchNormTest,
                         testing::Values(NormCase{8, 9, 8, Rectifier::kNone, false, false},
                                         NormCase{8, 9, 16, Rectifier::kNone, false, true},
                                         NormCase{64, 16, 24, Rectifier::kRelu, true, false},
                                         NormCase{64, 16, 40, Rectifier::kHSwish, true, false},
                                         NormCase{16, 5, 12, Rectifier::kHSwish, false, false},
                                         NormCase{16, 5, 20, Rectifier::kRelu, false, false},
                                         NormCase{32, 8, 16, Rectifier::kNone, true, false},
                                         NormCase{5, 1, 16, Rectifier::kHSwish, false, false},
                                         NormCase{1, 6, 8, Rectifier::kRelu, false, false},
                                         NormCase{8, 4, 7, Rectifier::kHSwish, false, true},
                                         NormCase{32, 8, 28, Rectifier::kHSwish, true, true}));

TEST(BatchNorm, KeepsNaNsVisible) {
  torch::Tensor x = ChannelsLast(Normal({2, 8, 3, 3}, 1));
  x[0][3][1][1] = NAN;
  const torch::Tensor ones = torch::ones({8}), zeros = torch::zeros({8});
  for (const Rectifier rectifier : {Rectifier::kNone, Rectifier::kRelu, Rectifier::kHSwish}) {
    const Epilogue epilogue{rectifier, {}, torch::full({1}, 0.2F), ActivationCodes(4, false)};
    const torch::Tensor y =
        TrainingBatchNorm(x, ones, zeros, zeros.clone(), ones.clone(), 0.1, 1e-5, epilogue);
    EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
    EXPECT_FALSE(y.select(1, 2).isnan().any().item<bool>());
  }
}

TEST(Depthwise, SameBitsOnEveryNumberOfThreads) {
  for (const int stride : {1, 2}) {
    const Inputs inputs{ChannelsLast(Normal({19, 24, 8, 8}, 1)), Normal({24, 1, 5, 5}, 2)};
    const torch::Tensor above = Normal({19, 24, 8 / stride, 8 / stride}, 3);
    ExpectSameBitsOnEveryNumberOfThreads(
        [&](const Inputs& v) { return DepthwiseConv(v[0], v[1], stride); }, inputs, above);
  }
}

TEST(ChannelMeans, EqualsMean) {
  const Inputs inputs{ChannelsLast(Normal({3, 12, 5, 4}, 1))};
  const torch::Tensor above = Normal({3, 12, 1, 1}, 2);
  const Inputs ours = Results([](const Inputs& v) { return ChannelMeans(v[0]); }, inputs, above);
  const Inputs theirs = Results(
      [](const Inputs& v) {
        return v[0].mean({2, 3}, true);
      },
      inputs, above);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].sizes(), theirs[i].sizes());
    EXPECT_LE(RelativeDifference(ours[i], theirs[i]), 1e-6);
  }
  EXPECT_TRUE(ours[1].is_contiguous(torch::MemoryFormat::ChannelsLast));
}

}  // namespace
}  // namespace oqat::supernet
