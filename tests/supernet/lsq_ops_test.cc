#include "supernet/lsq_ops.h"

#include <ATen/record_function.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <memory>
#include <string_view>

#include "base/random.h"
#include "supernet/lsq.h"

namespace oqat::supernet {
namespace {

torch::Tensor Normal(std::vector<std::int64_t> shape, std::uint64_t seed) {
  torch::Tensor x = torch::empty(shape, torch::kFloat64);
  RandomStream random(seed);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = random.Normal();
  return x;
}

struct Result {
  torch::Tensor out, grad_v, grad_step;
};

template <typename Quantize>
Result Quantized(const torch::Tensor& data, double step, const torch::Tensor& upstream,
                 const LsqRange& range, Quantize quantize) {
  const torch::Tensor v = data.detach().requires_grad_();
  torch::Tensor s = torch::full({1}, step, data.options()).requires_grad_();
  const torch::Tensor out = quantize(v, s, range);
  // The optimizer changes steps in place while a graph may still be waiting.
  s.detach().fill_(99);
  out.backward(upstream);
  return {out.detach(), v.grad(), s.grad()};
}

// The path of other devices, run where it can be compared.
TEST(LsqByOps, EqualsTheKernelsInEveryLayout) {
  const std::vector<LsqRange> ranges{ActivationCodes(4, false), ActivationCodes(2, true),
                                     WeightCodes(8), WeightCodes(1)};
  for (const LsqRange& range : ranges) {
    for (const auto type : {torch::kFloat32, torch::kFloat64}) {
      const torch::Tensor data = Normal({3, 24, 7, 9}, 1).to(type);
      const torch::Tensor upstream = Normal({3, 24, 7, 9}, 2).to(type);
      for (const auto& v : {data, data.contiguous(torch::MemoryFormat::ChannelsLast),
                            torch::cat({data, data}, 1).narrow(1, 0, 24)}) {
        for (const double step : {0.17, -0.23}) {
          const Result kernels = Quantized(v, step, upstream, range, LsqQuantize);
          const Result ops = Quantized(v, step, upstream, range, LsqQuantizeByOps);
          EXPECT_TRUE(torch::equal(ops.out, kernels.out));
          EXPECT_TRUE(torch::equal(ops.grad_v, kernels.grad_v));
          const double scale = kernels.grad_step.abs().item<double>() + 1;
          EXPECT_LE((ops.grad_step - kernels.grad_step).abs().item<double>(),
                    scale * (type == torch::kFloat32 ? 1e-4 : 1e-12));
          EXPECT_EQ(ops.grad_step.sizes(), kernels.grad_step.sizes());
          if (v.is_contiguous(torch::MemoryFormat::ChannelsLast)) {
            EXPECT_TRUE(ops.out.is_contiguous(torch::MemoryFormat::ChannelsLast));
          }
        }
      }
    }
  }
}

TEST(LsqByOps, KeepsNaNsVisible) {
  const torch::Tensor v = torch::full({40}, NAN);
  EXPECT_TRUE(
      LsqQuantizeByOps(v, torch::ones({1}), ActivationCodes(4, false)).isnan().all().item<bool>());
}

/// How often LibTorch was asked for a tensor's value, for which a GPU has to be waited for.
template <typename Work>
int ValuesRead(Work work) {
  static std::atomic<int> count;
  count = 0;
  const auto handle =
      at::addGlobalCallback(at::RecordFunctionCallback([](const at::RecordFunction& function)
                                                           -> std::unique_ptr<at::ObserverContext> {
                              if (std::string_view(function.name()) == "aten::_local_scalar_dense")
                                ++count;
                              return nullptr;
                            }).scopes({at::RecordScope::FUNCTION}));
  work();
  at::removeCallback(handle);
  return count;
}

TEST(LsqByOps, NeverReadsTheStepSize) {
  const torch::Tensor data = Normal({2, 8, 4, 4}, 1), upstream = Normal({2, 8, 4, 4}, 2);
  const LsqRange range = ActivationCodes(3, false);
  EXPECT_GT(ValuesRead([&] { LsqQuantize(data, torch::ones({1}, torch::kFloat64), range); }), 0);
  EXPECT_EQ(ValuesRead([&] { Quantized(data, 0.2, upstream, range, LsqQuantizeByOps); }), 0);
}

}  // namespace
}  // namespace oqat::supernet
