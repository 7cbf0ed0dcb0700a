#include "supernet/batch_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/relu.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "supernet/lsq.h"

namespace oqat::supernet {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using OptionalTensor = c10::optional<at::Tensor>;

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;

/// A layer's rows, cut where only the shape decides: sums are made per chunk and added in the order
/// of the chunks, so they do not depend on the number of threads.
struct Chunks {
  explicit Chunks(const at::Tensor& x)
      : channels(x.size(1)),
        rows(x.numel() / channels),
        size(std::max<std::int64_t>(1, kFloats / channels)),
        count((rows + size - 1) / size) {}

  /// work(chunk, first row, number of rows)
  template <typename Work>
  void ForEach(const Work& work) const {
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t c = begin; c < end; ++c) {
        work(c, c * size, std::min(size, rows - c * size));
      }
    });
  }

  static constexpr std::int64_t kFloats = 8192;  ///< a few arrays of it fit the first-level caches
  std::int64_t channels, rows, size, count;
};

struct BatchStatistics {
  std::vector<float> mean;      ///< [channels]
  std::vector<double> inverse;  ///< 1 / sqrt(variance + eps)
  std::vector<double> variance;
};

BatchStatistics Measure(const at::Tensor& x, double eps) {
  const Chunks chunks(x);
  const std::int64_t channels = chunks.channels;
  std::vector<float> parts(2 * chunks.count * channels);
  const float* source = x.data_ptr<float>();
  chunks.ForEach([&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
    float* sums = parts.data() + 2 * chunk * channels;
    Moments(source + first * channels, rows, channels, sums, sums + channels);
  });
  const auto total = static_cast<double>(chunks.rows);
  std::vector<double> mean(channels), square(channels);
  for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    for (std::int64_t c = 0; c < channels; ++c) mean[c] += parts[2 * chunk * channels + c];
  }
  for (double& m : mean) m /= total;
  // Chan et al. 1983: squares around the chunks' means, moved to the common one.
  for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const auto rows = static_cast<double>(std::min(chunks.size, chunks.rows - chunk * chunks.size));
    const float* sums = parts.data() + 2 * chunk * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const double apart = sums[c] / rows - mean[c];
      square[c] += sums[channels + c] + rows * apart * apart;
    }
  }
  BatchStatistics result;
  result.mean.assign(mean.begin(), mean.end());
  for (double s : square) {
    result.variance.push_back(s / total);
    result.inverse.push_back(1 / std::sqrt(s / total + eps));
  }
  return result;
}

/// A running statistic takes in a share of the batch's.
void Follow(const at::Tensor& running, const float* value, double share) {
  float* target = running.data_ptr<float>();
  for (std::int64_t c = 0; c < running.numel(); ++c) {
    target[c] = static_cast<float>((1 - share) * target[c] + share * value[c]);
  }
}

struct Normalize : torch::autograd::Function<Normalize> {
  /// Rows of the tensor that is kept for the backward pass.
  enum Kept { kScale, kShift, kMean, kInverse, kKept };

  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const OptionalTensor& residual, const OptionalTensor& step,
                            const at::Tensor& running_mean, const at::Tensor& running_var,
                            double momentum, double eps, std::int64_t rectifier, double low,
                            double high) {
    RECORD_FUNCTION("oqat::batch_norm", c10::ArrayRef<const c10::IValue>{});
    const at::Tensor x = input.contiguous(kChannelsLast);
    const at::Tensor added = residual ? residual->contiguous(kChannelsLast) : at::Tensor();
    const BatchStatistics statistics = Measure(x, eps);
    const Chunks chunks(x);
    const std::int64_t channels = chunks.channels;
    const auto total = static_cast<double>(chunks.rows);
    const at::Tensor kept = at::empty({kKept, channels}, x.options());
    float* constants = kept.data_ptr<float>();
    const float* gamma = weight.data_ptr<float>();
    const float* beta = bias.data_ptr<float>();
    std::vector<float> unbiased(channels);
    for (std::int64_t c = 0; c < channels; ++c) {
      const double scale = gamma[c] * statistics.inverse[c];
      constants[kScale * channels + c] = static_cast<float>(scale);
      constants[kShift * channels + c] = static_cast<float>(beta[c] - scale * statistics.mean[c]);
      constants[kMean * channels + c] = statistics.mean[c];
      constants[kInverse * channels + c] = static_cast<float>(statistics.inverse[c]);
      unbiased[c] = static_cast<float>(statistics.variance[c] * total / std::max(1.0, total - 1));
    }
    Follow(running_mean, statistics.mean.data(), momentum);
    Follow(running_var, unbiased.data(), momentum);

    const double size = step ? step->item<double>() : 0;
    context->saved_data["rectifier"] = rectifier;
    context->saved_data["step"] = size;
    context->saved_data["low"] = low;
    context->saved_data["high"] = high;
    context->saved_data["residual"] = residual.has_value();
    context->save_for_backward({x, kept});
    const NormalizeShape shape = ShapeOf(context, kept);
    at::Tensor out = at::empty(x.sizes(), x.options(), kChannelsLast);
    const float* source = x.data_ptr<float>();
    const float* extra = added.defined() ? added.data_ptr<float>() : nullptr;
    float* target = out.data_ptr<float>();
    chunks.ForEach([&](std::int64_t, std::int64_t first, std::int64_t rows) {
      const std::int64_t at = first * channels;
      NormalizeForward(shape, source + at, extra == nullptr ? nullptr : extra + at, rows,
                       target + at);
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& kept = saved[1];
    const at::Tensor above = upstream[0].contiguous(kChannelsLast);
    const NormalizeShape shape = ShapeOf(context, kept);
    const Chunks chunks(x);
    const std::int64_t channels = chunks.channels;
    const float* constants = kept.data_ptr<float>();
    const float* mean = constants + kMean * channels;
    const float* inverse = constants + kInverse * channels;
    const float* source = x.data_ptr<float>();
    const float* g = above.data_ptr<float>();
    at::Tensor grad_x = at::empty(x.sizes(), x.options(), kChannelsLast);
    float* target = grad_x.data_ptr<float>();

    std::vector<float> parts(2 * chunks.count * channels);
    std::vector<double> step_parts(chunks.count);
    chunks.ForEach([&](std::int64_t chunk, std::int64_t first, std::int64_t rows) {
      const std::int64_t at = first * channels;
      float* sums = parts.data() + 2 * chunk * channels;
      step_parts[chunk] = NormalizeBackward(shape, source + at, g + at, mean, rows, target + at,
                                            sums, sums + channels);
    });
    std::vector<double> sum(channels), product(channels);
    double step_sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      const float* sums = parts.data() + 2 * chunk * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        sum[c] += sums[c];
        product[c] += sums[channels + c];
      }
      step_sum += step_parts[chunk];
    }

    // d out / d x of (x - mean) / sqrt(var + eps), mean and var being functions of x.
    std::vector<float> b(channels), d(channels);
    at::Tensor grad_weight = at::empty({channels}, x.options());
    at::Tensor grad_bias = at::empty({channels}, x.options());
    for (std::int64_t c = 0; c < channels; ++c) {
      const double i = inverse[c], share = constants[c] / static_cast<double>(chunks.rows);
      grad_weight.data_ptr<float>()[c] = static_cast<float>(product[c] * i);
      grad_bias.data_ptr<float>()[c] = static_cast<float>(sum[c]);
      const double slope = -share * i * i * product[c];
      b[c] = static_cast<float>(slope);
      d[c] = static_cast<float>(-share * sum[c] - slope * mean[c]);
    }
    const bool plain = shape.rectifier == Rectifier::kNone && shape.step == 0;
    const float* grad_z = plain ? g : target;
    chunks.ForEach([&](std::int64_t, std::int64_t first, std::int64_t rows) {
      const std::int64_t at = first * channels;
      NormalizeGradInput(channels, source + at, grad_z + at, constants, b.data(), d.data(), rows,
                         target + at);
    });

    variable_list grads(12);
    grads[0] = grad_x;
    grads[1] = grad_weight;
    grads[2] = grad_bias;
    if (context->saved_data["residual"].toBool()) grads[3] = above;
    const double step = context->saved_data["step"].toDouble();
    if (step != 0) {
      const double scale = 1 / std::sqrt(static_cast<double>(x.numel()) * shape.range.high);
      grads[4] = at::full({1}, (step > 0 ? 1 : -1) * step_sum * scale, x.options());
    }
    return grads;
  }

 private:
  static NormalizeShape ShapeOf(AutogradContext* context, const at::Tensor& kept) {
    NormalizeShape shape;
    shape.channels = kept.size(1);
    shape.scale = kept.data_ptr<float>() + kScale * shape.channels;
    shape.shift = kept.data_ptr<float>() + kShift * shape.channels;
    shape.rectifier = static_cast<Rectifier>(context->saved_data["rectifier"].toInt());
    shape.step = static_cast<float>(std::abs(context->saved_data["step"].toDouble()));
    shape.range = {context->saved_data["low"].toDouble(), context->saved_data["high"].toDouble(),
                   false};
    return shape;
  }
};

}  // namespace

at::Tensor Rectified(const at::Tensor& x, Rectifier rectifier) {
  switch (rectifier) {
    case Rectifier::kRelu: return at::relu(x);
    case Rectifier::kHSwish: return at::hardswish(x);
    case Rectifier::kNone: break;
  }
  return x;
}

at::Tensor TrainingBatchNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& running_mean, const at::Tensor& running_var,
                             double momentum, double eps, const Epilogue& epilogue) {
  const bool ours = x.scalar_type() == at::kFloat && x.device().is_cpu() && x.numel() > 0 &&
                    x.size(1) % 4 == 0 && !epilogue.range.sign;
  if (ours) {
    const auto optional = [](const at::Tensor& tensor) {
      return tensor.defined() ? OptionalTensor(tensor) : OptionalTensor();
    };
    return Normalize::apply(x, weight, bias, optional(epilogue.residual), optional(epilogue.step),
                            running_mean, running_var, momentum, eps,
                            static_cast<std::int64_t>(epilogue.rectifier), epilogue.range.low,
                            epilogue.range.high);
  }
  at::Tensor y =
      at::batch_norm(x, weight, bias, running_mean, running_var, true, momentum, eps, false);
  y = Rectified(y, epilogue.rectifier);
  if (epilogue.step.defined()) y = LsqQuantize(y, epilogue.step, epilogue.range);
  if (epilogue.residual.defined()) y = y + epilogue.residual;
  return y.contiguous(kChannelsLast);
}

}  // namespace oqat::supernet
