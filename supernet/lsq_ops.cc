#include "supernet/lsq_ops.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/hardtanh_backward.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/round.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// q of x = v / |step|.
at::Tensor Codes(const at::Tensor& x, const LsqRange& range) {
  return range.sign ? x.sign() : x.clamp(range.low, range.high).round_();  // half to even
}

struct LsqByOps : torch::autograd::Function<LsqByOps> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& v, const at::Tensor& step,
                            double low, double high, bool sign) {
    // Results of operations, so copies: the optimizer changes the step itself in place.
    const at::Tensor size = step.abs();
    context->save_for_backward({v, size, step.sign()});
    context->saved_data["low"] = low;
    context->saved_data["high"] = high;
    context->saved_data["sign"] = sign;
    return Codes(v / size, {low, high, sign}).mul_(size);
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& v = saved[0];
    const LsqRange range{context->saved_data["low"].toDouble(),
                         context->saved_data["high"].toDouble(),
                         context->saved_data["sign"].toBool()};
    const at::Tensor x = v / saved[1];
    // The gradient of a clamp: upstream strictly inside the range, else 0.
    const at::Tensor grad = at::hardtanh_backward(upstream[0], x, range.low, range.high);
    // LSQ eq. 3: q outside, q - x inside; scaled by 1 / sqrt(numel * high).
    const double scale = 1 / std::sqrt(static_cast<double>(v.numel()) * range.high);
    const at::Tensor share = Codes(x, range).mul_(upstream[0]).addcmul_(grad, x, -1);
    return {grad, (saved[2] * share.sum()).mul_(scale), {}, {}, {}};
  }
};

}  // namespace

at::Tensor LsqQuantizeByOps(const at::Tensor& v, const at::Tensor& step, const LsqRange& range) {
  return LsqByOps::apply(v, step, range.low, range.high, range.sign);
}

}  // namespace oqat::supernet
