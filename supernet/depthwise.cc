#include "supernet/depthwise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

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

/// Eight floats of working memory where a vector load never crosses a cache line.
struct alignas(32) Eight {
  float values[8];
};

std::vector<Eight> Scratch(std::int64_t floats) {
  return std::vector<Eight>(static_cast<std::size_t>((floats + 7) / 8));
}

float* Floats(std::vector<Eight>& scratch) { return scratch.front().values; }

std::vector<Eight> Packed(const at::Tensor& weight, bool flip) {
  std::vector<Eight> packed = Scratch(weight.numel());
  PackFilter(weight.data_ptr<float>(), weight.size(0), weight.size(2) * weight.size(3), flip,
             Floats(packed));
  return packed;
}

/// work(image, working memory) for every image.
template <typename Work>
void ForImages(std::int64_t images, const DepthwiseShape& shape, const Work& work) {
  at::parallel_for(0, images, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Eight> scratch = Scratch(DepthwiseScratch(shape));
    for (std::int64_t n = begin; n < end; ++n) work(n, Floats(scratch));
  });
}

/// Images are taken in groups that do not depend on the number of threads; their sums are added in
/// order.
at::Tensor GradFilter(const DepthwiseShape& shape, const at::Tensor& x, const at::Tensor& above,
                      const at::Tensor& weight) {
  constexpr std::int64_t kImages = 8;
  const std::int64_t images = x.size(0), groups = (images + kImages - 1) / kImages;
  const std::int64_t taps = shape.kernel * shape.kernel, size = weight.numel();
  std::vector<Eight> parts = Scratch(groups * size);
  const float* source = x.data_ptr<float>();
  const float* g = above.data_ptr<float>();
  ForImages(groups, shape, [&](std::int64_t group, float* scratch) {
    for (std::int64_t n = group * kImages; n < std::min(images, (group + 1) * kImages); ++n) {
      DepthwiseGradFilter(shape, source + n * shape.in_size(), g + n * shape.out_size(), scratch,
                          Floats(parts) + group * size);
    }
  });
  float* sums = Floats(parts);
  for (std::int64_t group = 1; group < groups; ++group) {
    for (std::int64_t i = 0; i < size; ++i) sums[i] += sums[group * size + i];
  }
  at::Tensor grad = at::empty(weight.sizes(), weight.options());
  UnpackFilter(sums, shape.channels, taps, grad.data_ptr<float>());
  return grad;
}

struct Depthwise : torch::autograd::Function<Depthwise> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& filter, std::int64_t stride) {
    RECORD_FUNCTION("oqat::depthwise", c10::ArrayRef<const c10::IValue>{});
    const at::Tensor x = input.contiguous(kChannelsLast);
    const at::Tensor weight = filter.contiguous();
    const DepthwiseShape shape = ShapeOf(x, weight, stride);
    at::Tensor out = at::empty({x.size(0), shape.channels, shape.out_height, shape.out_width},
                               x.options(), kChannelsLast);
    std::vector<Eight> packed = Packed(weight, false);
    const float* taps = Floats(packed);
    const float* source = x.data_ptr<float>();
    float* target = out.data_ptr<float>();
    ForImages(x.size(0), shape, [&](std::int64_t n, float* scratch) {
      DepthwiseForward(shape, source + n * shape.in_size(), taps, scratch,
                       target + n * shape.out_size());
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
    const at::Tensor above = upstream[0].contiguous(kChannelsLast);
    std::vector<Eight> packed = Packed(weight, false), flipped = Packed(weight, true);
    const float* taps = Floats(packed);
    const float* reversed = Floats(flipped);
    at::Tensor grad_x = at::empty(x.sizes(), x.options(), kChannelsLast);
    const float* g = above.data_ptr<float>();
    float* target = grad_x.data_ptr<float>();
    ForImages(x.size(0), shape, [&](std::int64_t n, float* scratch) {
      DepthwiseGradInput(shape, g + n * shape.out_size(), taps, reversed, scratch,
                         target + n * shape.in_size());
    });
    return {grad_x, GradFilter(shape, x, above, weight), {}};
  }
};

}  // namespace

at::Tensor DepthwiseConv(const at::Tensor& x, const at::Tensor& weight, int stride) {
  const std::int64_t kernel = weight.size(2), channels = x.size(1);
  const bool ours = x.scalar_type() == at::kFloat && x.device().is_cpu() && x.numel() > 0 &&
                    channels % 8 == 0 && (kernel == 3 || kernel == 5 || kernel == 7) &&
                    (stride == 1 || stride == 2);
  if (ours) return Depthwise::apply(x, weight, std::int64_t{stride});
  return at::conv2d(x.contiguous(kChannelsLast), weight, {}, stride, kernel / 2, 1, channels)
      .contiguous(kChannelsLast);
}

}  // namespace oqat::supernet
