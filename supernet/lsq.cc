#include "supernet/lsq.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "supernet/lsq_ops.h"

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Work is cut at fixed places, so results do not depend on the number of threads.
constexpr std::int64_t kChunk = 1 << 15;

template <typename T>
void ForwardChunks(const at::Tensor& v, at::Tensor& out, double step, const LsqRange& range) {
  const T* source = v.data_ptr<T>();
  T* target = out.data_ptr<T>();
  at::parallel_for(0, v.numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    LsqForward(source + begin, target + begin, end - begin, static_cast<T>(step), range);
  });
}

template <typename T>
double BackwardChunks(const at::Tensor& v, const at::Tensor& upstream, at::Tensor& grad,
                      double step, const LsqRange& range) {
  const std::int64_t n = v.numel();
  std::vector<double> sums((n + kChunk - 1) / kChunk);
  const T* source = v.data_ptr<T>();
  const T* above = upstream.data_ptr<T>();
  T* target = grad.data_ptr<T>();
  at::parallel_for(
      0, static_cast<std::int64_t>(sums.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
          const std::int64_t from = c * kChunk;
          sums[c] = LsqBackward(source + from, above + from, target + from,
                                std::min(kChunk, n - from), static_cast<T>(step), range);
        }
      });
  double sum = 0;
  for (double part : sums) sum += part;
  return sum;
}

/// `tensor` with exactly the strides of `like`, so that both can be walked as flat arrays.
at::Tensor LaidOutAs(const at::Tensor& like, const at::Tensor& tensor) {
  if (tensor.strides() == like.strides()) return tensor;
  at::Tensor copy = at::empty_like(like);
  copy.copy_(tensor);
  return copy;
}

struct Lsq : torch::autograd::Function<Lsq> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& step, double low, double high, bool sign) {
    const at::Tensor v = input.is_non_overlapping_and_dense()
                             ? input
                             : input.contiguous(input.suggest_memory_format());
    const LsqRange range{low, high, sign};
    const double size = std::abs(step.item<double>());
    at::Tensor out = at::empty_like(v);
    if (v.scalar_type() == at::kFloat) {
      ForwardChunks<float>(v, out, size, range);
    } else {
      ForwardChunks<double>(v, out, size, range);
    }
    // The step itself changes before the next forward pass, its value does not.
    context->save_for_backward({v});
    context->saved_data["step"] = step.item<double>();
    context->saved_data["low"] = low;
    context->saved_data["high"] = high;
    context->saved_data["sign"] = sign;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const at::Tensor v = context->get_saved_variables()[0];
    const double step = context->saved_data["step"].toDouble();
    const LsqRange range{context->saved_data["low"].toDouble(),
                         context->saved_data["high"].toDouble(),
                         context->saved_data["sign"].toBool()};
    const at::Tensor above = LaidOutAs(v, upstream[0]);
    at::Tensor grad = at::empty_like(v);
    const double sum = v.scalar_type() == at::kFloat
                           ? BackwardChunks<float>(v, above, grad, std::abs(step), range)
                           : BackwardChunks<double>(v, above, grad, std::abs(step), range);
    const double sign = step > 0 ? 1 : (step < 0 ? -1 : 0);
    const double scale = 1 / std::sqrt(static_cast<double>(v.numel()) * range.high);
    const at::Tensor grad_step = at::full({1}, sign * sum * scale, v.options());
    return {grad, grad_step, {}, {}, {}};
  }
};

}  // namespace

LsqRange ActivationCodes(int bits, bool is_signed) {
  if (!is_signed) return {0, std::ldexp(1, bits) - 1, false};
  if (bits == 1) return {-1, 1, true};
  return {-std::ldexp(1, bits - 1), std::ldexp(1, bits - 1) - 1, false};
}

LsqRange WeightCodes(int bits) { return ActivationCodes(bits, true); }

at::Tensor LsqQuantize(const at::Tensor& v, const at::Tensor& step, const LsqRange& range) {
  TORCH_CHECK(v.scalar_type() == at::kFloat || v.scalar_type() == at::kDouble,
              "quantizer input must be float32 or float64, got ", v.scalar_type());
  TORCH_CHECK(step.numel() == 1 && step.scalar_type() == v.scalar_type(),
              "step size must be one element of the input's type");
  if (!v.device().is_cpu()) return LsqQuantizeByOps(v, step, range);
  return Lsq::apply(v, step, range.low, range.high, range.sign);
}

namespace {

/// The step size with the least squared error among 64 that divide the largest value evenly.
double LeastErrorStep(const at::Tensor& v, const LsqRange& range) {
  constexpr int kCandidates = 64;
  const at::Tensor flat = v.detach().contiguous();
  const double largest = flat.abs().max().item<double>();
  double best = 1, least = std::numeric_limits<double>::infinity();
  for (int i = 1; largest > 0 && i <= kCandidates; ++i) {
    const double step = largest / range.high * i / kCandidates;
    const at::Tensor codes = (flat / step).clamp_(range.low, range.high).round_();
    const double error = (codes.mul_(step) - flat).square_().sum(at::kDouble).item<double>();
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

}  // namespace

double InitialStep(const at::Tensor& v, const LsqRange& range, StepInitialization method) {
  if (method == StepInitialization::kMse) return LeastErrorStep(v, range);
  const double mean = v.detach().abs().mean().item<double>();
  return mean > 0 ? 2 * mean / std::sqrt(range.high) : 1;
}

}  // namespace oqat::supernet
