#include "supernet/subnet_evaluator.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "supernet/elastic_net.h"
#include "supernet/extract.h"

namespace oqat::supernet {

namespace {

using artifacts::ImageSet;

/// Images [begin, end) as [n, 3, size, size] float32, channels_last, resized and normalised.
at::Tensor MakeBatch(const ImageSet& images, std::int64_t begin, std::int64_t end, int size,
                     const std::array<std::array<float, 256>, 3>& table) {
  const std::int64_t pixels = std::int64_t{size} * size;
  at::Tensor batch = at::empty({end - begin, 3, size, size}, at::TensorOptions(at::kFloat),
                               at::MemoryFormat::ChannelsLast);
  float* target = batch.data_ptr<float>();
  std::vector<std::uint8_t> resized(static_cast<std::size_t>(3 * pixels));
  for (std::int64_t i = begin; i < end; ++i) {
    const std::uint8_t* source = images.image(i);
    if (images.size != size) {
      artifacts::ResizeSquare(source, images.size, resized.data(), size);
      source = resized.data();
    }
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (int c = 0; c < 3; ++c) *target++ = table[c][*source++];
    }
  }
  return batch;
}

/// `requested` images of a split, 0 meaning all of them.
std::int64_t Count(std::int64_t requested, std::int64_t available, const char* field) {
  if (requested < 0 || requested > available || available == 0) {
    throw InvalidField(field, std::to_string(requested),
                       "0 (all) to the evaluation set's " + std::to_string(available));
  }
  return requested == 0 ? available : requested;
}

/// Adds one batch's hits and summed cross-entropy.
void Score(const at::Tensor& logits, const std::int32_t* labels, std::int64_t& hits, double& loss) {
  const at::Tensor dense = logits.contiguous();
  const float* row = dense.data_ptr<float>();
  const std::int64_t classes = dense.size(1);
  for (std::int64_t i = 0; i < dense.size(0); ++i, row += classes) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (row[c] > row[best]) best = c;
    }
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      sum += std::exp(static_cast<double>(row[c]) - row[best]);
    }
    loss += std::log(sum) + row[best] - row[labels[i]];
    hits += best == labels[i] ? 1 : 0;
  }
}

}  // namespace

struct SubnetEvaluator::Impl {
  explicit Impl(const artifacts::Checkpoint& checkpoint)
      : net(checkpoint.space, checkpoint.bits, checkpoint.activation_range, 0) {
    net->FromTensors(checkpoint.tensors, "checkpoint");
    net->eval();
    for (int c = 0; c < 3; ++c) {
      for (int value = 0; value < 256; ++value) {
        table[c][value] = static_cast<float>((value / 255.0 - checkpoint.normalization.mean[c]) /
                                             checkpoint.normalization.std[c]);
      }
    }
  }

  EvaluationResult Evaluate(const space::Architecture& wanted, const artifacts::EvaluationSet& set,
                            const EvaluationProtocol& protocol,
                            const std::function<bool(std::int64_t, std::int64_t)>& progress) {
    const space::SearchSpace& space = net->space();
    const space::Architecture architecture = space::Canonical(space, wanted);
    if (net->bits() != 32 && architecture.bits != net->bits()) {
      throw InvalidField("architecture.bits", std::to_string(architecture.bits),
                         "the checkpoint's " + std::to_string(net->bits()));
    }
    if (static_cast<int>(set.class_names.size()) != space.num_classes) {
      throw InvalidField("evaluation set classes", std::to_string(set.class_names.size()),
                         "the space's " + std::to_string(space.num_classes));
    }
    if (protocol.batch_size < 1) {
      throw InvalidField("batch_size", std::to_string(protocol.batch_size), "at least 1");
    }
    const ImageSet& images = set.split(protocol.split);
    const std::int64_t calibration =
        Count(protocol.calibration_images, set.calibration.count(), "calibration_images");
    const std::int64_t count = Count(protocol.images, images.count(), "images");
    const std::int64_t total = calibration + count;
    const auto report = [&](std::int64_t done) {
      if (progress && !progress(done, total)) {
        throw Error(Code::kCancelled, "evaluation stopped after " + std::to_string(done) + " of " +
                                          std::to_string(total) + " images");
      }
    };

    const at::NoGradGuard no_grad;
    at::set_num_threads(1);
    FixedNet subnet(*net, architecture);
    std::vector<at::Tensor> batches;
    for (std::int64_t i = 0; i < calibration; i += protocol.batch_size) {
      batches.push_back(MakeBatch(set.calibration, i,
                                  std::min(calibration, i + protocol.batch_size),
                                  architecture.resolution, table));
    }
    subnet.Recalibrate(batches);
    batches.clear();
    report(calibration);

    std::int64_t hits = 0;
    double loss = 0;
    for (std::int64_t i = 0; i < count; i += protocol.batch_size) {
      const std::int64_t end = std::min(count, i + protocol.batch_size);
      const at::Tensor logits =
          subnet.Forward(MakeBatch(images, i, end, architecture.resolution, table));
      Score(logits, images.labels.data() + i, hits, loss);
      report(calibration + end);
    }
    return {static_cast<double>(hits) / static_cast<double>(count),
            loss / static_cast<double>(count), count};
  }

  ElasticNet net;
  std::array<std::array<float, 256>, 3> table;
};

namespace {

/// Runs `work`; LibTorch's exceptions leave as ours.
template <typename Work>
auto Guarded(const char* what, Work&& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    throw Error(Code::kInternal, std::string(what) + ": " + error.what_without_backtrace());
  }
}

}  // namespace

SubnetEvaluator::SubnetEvaluator(const artifacts::Checkpoint& checkpoint)
    : impl_(Guarded("loading the checkpoint", [&] { return std::make_unique<Impl>(checkpoint); })) {
}

SubnetEvaluator::~SubnetEvaluator() = default;

EvaluationResult SubnetEvaluator::Evaluate(
    const space::Architecture& architecture, const artifacts::EvaluationSet& set,
    const EvaluationProtocol& protocol,
    const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  return Guarded("evaluating a subnet",
                 [&] { return impl_->Evaluate(architecture, set, protocol, progress); });
}

}  // namespace oqat::supernet
