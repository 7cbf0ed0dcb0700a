#include "supernet/channel_means.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mean.h>
#include <torch/csrc/autograd/custom_function.h>

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Means : torch::autograd::Function<Means> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->saved_data["sizes"] = x.sizes().vec();
    return x.mean({2, 3}, true);
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const std::vector<std::int64_t> sizes = context->saved_data["sizes"].toIntVector();
    const at::Tensor share = upstream[0] / static_cast<double>(sizes[2] * sizes[3]);
    at::Tensor grad = at::empty(sizes, share.options(), at::MemoryFormat::ChannelsLast);
    grad.copy_(share.expand(sizes));
    return {grad};
  }
};

}  // namespace

at::Tensor ChannelMeans(const at::Tensor& x) { return Means::apply(x); }

}  // namespace oqat::supernet
