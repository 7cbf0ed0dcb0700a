#include "supernet/depthwise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "supernet/depthwise_kernels.h"

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

DepthwiseShape ShapeOf(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  DepthwiseShape shape;
  shape.channels = x.size(1);
  shape.in_height = x.size(2);
  shape.in_width = x.size(3);
  shape.kernel = weight.size(2);
  shape.stride = stride;
  shape.out_height = (shape.in_height - 1) / stride + 1;
  shape.out_width = (shape.in_width - 1) / stride + 1;
  return shape;
}

/// [c, 1, k, k] -> [k * k, c]
at::Tensor TapMajor(const at::Tensor& weight) { return weight.flatten(1).t().contiguous(); }

struct Depthwise : torch::autograd::Function<Depthwise> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, std::int64_t stride) {
    const at::Tensor x = input.contiguous(kChannelsLast);
    const DepthwiseShape shape = ShapeOf(x, weight, stride);
    const at::Tensor filter = TapMajor(weight);
    at::Tensor out = at::empty({x.size(0), shape.channels, shape.out_height, shape.out_width},
                               x.options(), kChannelsLast);
    const std::int64_t in_step = shape.in_height * shape.in_width * shape.channels;
    const std::int64_t out_step = shape.out_height * shape.out_width * shape.channels;
    const float* source = x.data_ptr<float>();
    const float* taps = filter.data_ptr<float>();
    float* target = out.data_ptr<float>();
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        DepthwiseForward(shape, source + n * in_step, taps, target + n * out_step);
      }
    });
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = stride;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& weight = saved[1];
    const DepthwiseShape shape = ShapeOf(x, weight, context->saved_data["stride"].toInt());
    const at::Tensor grad_out = upstream[0].contiguous(kChannelsLast);
    const at::Tensor filter = TapMajor(weight);
    const at::Tensor flipped = filter.flip(0);
    at::Tensor grad_x = at::empty(x.sizes(), x.options(), kChannelsLast);
    at::Tensor grad_filter = at::zeros_like(filter);
    const std::int64_t in_step = shape.in_height * shape.in_width * shape.channels;
    const std::int64_t out_step = shape.out_height * shape.out_width * shape.channels;
    const float* source = x.data_ptr<float>();
    const float* above = grad_out.data_ptr<float>();
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        DepthwiseGradInput(shape, above + n * out_step, filter.data_ptr<float>(),
                           flipped.data_ptr<float>(), grad_x.data_ptr<float>() + n * in_step);
      }
    });
    // By channels, not images: each sum is made by one thread, so it is always the same.
    constexpr std::int64_t kBlock = 16;
    const std::int64_t blocks = (shape.channels + kBlock - 1) / kBlock;
    at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = 0; n < x.size(0); ++n) {
        DepthwiseGradFilter(shape, source + n * in_step, above + n * out_step,
                            grad_filter.data_ptr<float>(), begin * kBlock,
                            std::min(end * kBlock, shape.channels));
      }
    });
    return {grad_x, grad_filter.t().contiguous().view(weight.sizes()), {}};
  }
};

}  // namespace

at::Tensor DepthwiseConv(const at::Tensor& x, const at::Tensor& weight, int stride) {
  const std::int64_t kernel = weight.size(2), channels = x.size(1);
  const bool ours = x.scalar_type() == at::kFloat && x.device().is_cpu() && channels % 8 == 0 &&
                    (kernel == 3 || kernel == 5 || kernel == 7);
  if (ours) return Depthwise::apply(x, weight, std::int64_t{stride});
  return at::conv2d(x.contiguous(kChannelsLast), weight, {}, stride, kernel / 2, 1, channels)
      .contiguous(kChannelsLast);
}

}  // namespace oqat::supernet
