#include "supernet/pointwise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "supernet/pointwise_kernels.h"

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

/// A multiple of every kernel's tile, small enough for the second-level cache.
constexpr std::int64_t kRowsAtOnce = 192;

/// y = x times the packed matrix, for every pixel.
void Multiply(const at::Tensor& x, const std::vector<float>& packed, at::Tensor& y) {
  const std::int64_t in = x.size(1), out = y.size(1), rows = x.numel() / in;
  const float* source = x.data_ptr<float>();
  float* target = y.data_ptr<float>();
  const std::int64_t chunks = (rows + kRowsAtOnce - 1) / kRowsAtOnce;
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t first = c * kRowsAtOnce;
      MultiplyRows(source + first * in, std::min(kRowsAtOnce, rows - first), in, packed.data(), out,
                   target + first * out);
    }
  });
}

/// [out, in] gradient of the weight. Sums are made in chunks that depend on the shape alone and
/// added in their order, so they do not depend on the number of threads.
at::Tensor GradWeight(const at::Tensor& above, const at::Tensor& x) {
  const std::int64_t out = above.size(1), in = x.size(1), rows = x.numel() / in;
  constexpr std::int64_t kLeastRows = 512, kMostChunks = 64;
  const std::int64_t chunk_rows = std::max(kLeastRows, (rows + kMostChunks - 1) / kMostChunks);
  const std::int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  std::vector<float> parts(chunks * out * in);
  const float* left = above.data_ptr<float>();
  const float* right = x.data_ptr<float>();
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const std::int64_t first = c * chunk_rows;
      SumOuterProducts(left + first * out, out, right + first * in, in,
                       std::min(chunk_rows, rows - first), parts.data() + c * out * in);
    }
  });
  at::Tensor grad = at::empty({out, in}, x.options());
  float* sums = grad.data_ptr<float>();
  std::copy(parts.begin(), parts.begin() + out * in, sums);
  for (std::int64_t c = 1; c < chunks; ++c) {
    const float* part = parts.data() + c * out * in;
    for (std::int64_t i = 0; i < out * in; ++i) sums[i] += part[i];
  }
  return grad;
}

struct Pointwise : torch::autograd::Function<Pointwise> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& filter) {
    RECORD_FUNCTION("oqat::pointwise", c10::ArrayRef<const c10::IValue>{});
    const at::Tensor x = input.contiguous(kChannelsLast);
    const at::Tensor weight = filter.contiguous();
    const std::int64_t out = weight.size(0), in = weight.size(1);
    std::vector<float> packed(out * in);
    PackColumns(weight.data_ptr<float>(), in, out, 1, in, packed.data());
    at::Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)}, x.options(), kChannelsLast);
    Multiply(x, packed, y);
    context->save_for_backward({x, weight});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const at::Tensor above = upstream[0].contiguous(kChannelsLast);
    const std::int64_t out = weight.size(0), in = weight.size(1);
    std::vector<float> packed(out * in);
    PackColumns(weight.data_ptr<float>(), out, in, in, 1, packed.data());
    at::Tensor grad_x = at::empty(x.sizes(), x.options(), kChannelsLast);
    Multiply(above, packed, grad_x);
    return {grad_x, GradWeight(above, x).view(weight.sizes())};
  }
};

}  // namespace

at::Tensor PointwiseConv(const at::Tensor& x, const at::Tensor& weight) {
  const bool ours = x.scalar_type() == at::kFloat && x.device().is_cpu() && x.numel() > 0 &&
                    x.size(1) % 4 == 0 && weight.size(0) % 4 == 0;
  if (ours) return Pointwise::apply(x, weight);
  return at::conv2d(x, weight).contiguous(kChannelsLast);
}

}  // namespace oqat::supernet
