#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "base/random.h"
#include "supernet/depthwise.h"
#include "supernet/lsq.h"

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

double RelativeDifference(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// LSQ written with tensor operations, gradients by autograd.
torch::Tensor PlainLsq(const torch::Tensor& v, const torch::Tensor& step, const LsqRange& range) {
  const double scale = 1 / std::sqrt(static_cast<double>(v.numel()) * range.high);
  const torch::Tensor scaled = step * scale + (step - step * scale).detach();
  const torch::Tensor s = scaled.abs();
  const torch::Tensor x = (v / s).clamp(range.low, range.high);
  return (x + (x.round() - x).detach()) * s;
}

TEST(Lsq, EqualsTensorOperationsInEveryLayout) {
  for (const bool is_signed : {false, true}) {
    const LsqRange range = ActivationCodes(4, is_signed);
    const torch::Tensor data = Normal({3, 24, 7, 9}, 1);
    const torch::Tensor upstream = Normal({3, 24, 7, 9}, 2);
    for (const auto& v : {data, data.contiguous(torch::MemoryFormat::ChannelsLast),
                          data.transpose(0, 2).contiguous().transpose(0, 2),
                          torch::cat({data, data}, 1).narrow(1, 0, 24)}) {
      torch::Tensor a = v.detach().requires_grad_(), b = v.detach().clone().requires_grad_();
      torch::Tensor s = torch::full({1}, -0.21F).requires_grad_();
      torch::Tensor t = s.detach().clone().requires_grad_();
      const torch::Tensor fused = LsqQuantize(a, s, range), plain = PlainLsq(b, t, range);
      fused.backward(upstream);
      plain.backward(upstream);
      EXPECT_LE(RelativeDifference(fused, plain), 1e-6);
      EXPECT_LE(RelativeDifference(a.grad(), b.grad()), 1e-6);
      EXPECT_LE(RelativeDifference(s.grad(), t.grad()), 1e-3);
      if (v.is_contiguous(torch::MemoryFormat::ChannelsLast)) {
        EXPECT_TRUE(fused.is_contiguous(torch::MemoryFormat::ChannelsLast));
      }
    }
  }
}

TEST(Lsq, KeepsNaNsVisible) {
  const torch::Tensor v = torch::full({40}, NAN);
  const torch::Tensor out = LsqQuantize(v, torch::ones({1}), ActivationCodes(4, false));
  EXPECT_TRUE(out.isnan().all().item<bool>());
}

TEST(Lsq, ResultsDoNotDependOnTheNumberOfThreads) {
  const torch::Tensor v = Normal({100003}, 3), upstream = Normal({100003}, 4);
  std::vector<double> gradients;
  for (int threads : {3, 2, 1}) {
    at::set_num_threads(threads);
    torch::Tensor s = torch::full({1}, 0.3F).requires_grad_();
    LsqQuantize(v, s, WeightCodes(3)).backward(upstream);
    gradients.push_back(s.grad().item<double>());
  }
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(gradients[0], gradients[2]);
}

struct DepthwiseCase {
  int channels, size, kernel, stride;
};

class DepthwiseTest : public testing::TestWithParam<DepthwiseCase> {};

TEST_P(DepthwiseTest, EqualsLibTorch) {
  const auto [channels, size, kernel, stride] = GetParam();
  for (const auto dtype : {torch::kFloat32, torch::kFloat64}) {
    const torch::Tensor data = Normal({3, channels, size, size}, 1)
                                   .to(dtype)
                                   .contiguous(torch::MemoryFormat::ChannelsLast);
    const torch::Tensor filter = Normal({channels, 1, kernel, kernel}, 2).to(dtype);
    torch::Tensor x = data.clone().requires_grad_(), w = filter.clone().requires_grad_();
    torch::Tensor y = data.clone().requires_grad_(), u = filter.clone().requires_grad_();
    const torch::Tensor ours = DepthwiseConv(x, w, stride);
    const torch::Tensor theirs = torch::conv2d(y, u, {}, stride, kernel / 2, 1, channels);
    ASSERT_EQ(ours.sizes(), theirs.sizes());
    // A gradient in another layout than the output's, as a mean or a view gives it.
    const torch::Tensor upstream =
        Normal({3, channels, theirs.size(2), theirs.size(3)}, 3).to(dtype);
    ours.backward(upstream);
    theirs.backward(upstream);
    EXPECT_TRUE(ours.is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_LE(RelativeDifference(ours, theirs), 1e-5);
    EXPECT_LE(RelativeDifference(x.grad(), y.grad()), 1e-5);
    EXPECT_LE(RelativeDifference(w.grad(), u.grad()), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DepthwiseTest,
                         testing::Values(DepthwiseCase{8, 9, 3, 1}, DepthwiseCase{16, 8, 5, 1},
                                         DepthwiseCase{24, 7, 7, 1}, DepthwiseCase{40, 9, 3, 2},
                                         DepthwiseCase{16, 8, 5, 2}, DepthwiseCase{8, 13, 7, 2},
                                         DepthwiseCase{8, 1, 5, 1}, DepthwiseCase{8, 2, 7, 2},
                                         DepthwiseCase{12, 8, 3, 1}, DepthwiseCase{8, 16, 1, 1},
                                         DepthwiseCase{8, 9, 5, 3}));

}  // namespace
}  // namespace oqat::supernet
