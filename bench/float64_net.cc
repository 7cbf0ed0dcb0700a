#include "bench/float64_net.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <optional>
#include <string>

#include "artifacts/supernet_tensors.h"
#include "base/error.h"
#include "runtime/input.h"
#include "supernet/elastic_net.h"
#include "supernet/extract.h"

namespace oqat::bench {
namespace {

/// What the runtime calls a layer, as the prefix of an extracted subnet's tensors.
std::string TensorPrefix(const std::string& layer, const std::vector<space::BlockPlan>& plan) {
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const std::string prefix = "blocks." + std::to_string(plan[i].index) + ".";
    if (layer.starts_with(prefix)) {
      return artifacts::BlockPrefix(static_cast<int>(i)) + layer.substr(prefix.size()) + ".bn";
    }
  }
  return layer + ".bn";
}

}  // namespace

struct Float64Net::Impl {
  explicit Impl(const artifacts::Checkpoint& source)
      : checkpoint(source), net(source.space, source.bits, source.activation_range, 0) {
    net->FromTensors(source.tensors, "checkpoint");
    net->to(at::kDouble);
    net->eval();
  }

  /// The stem's input of the runtime.
  at::Tensor Batch(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end) const {
    runtime::InputMaker maker(checkpoint.normalization, size, checkpoint.space.stem_stride);
    const float* in = maker.Make(set, begin, end);
    at::Tensor batch = at::empty({end - begin, 3, size, size}, at::kDouble);
    double* out = batch.data_ptr<double>();
    for (std::int64_t n = 0; n < (end - begin) * 3; ++n) {
      for (int y = 0; y < size; ++y) {
        for (int x = 0; x < size; ++x) {
          *out++ = in[(n * (size + 2) + y + 1) * maker.row() + x + 1];
        }
      }
    }
    return batch;
  }

  const artifacts::Checkpoint& checkpoint;
  supernet::ElasticNet net;
  std::optional<supernet::FixedNet> subnet;
  int size = 0;
};

Float64Net::Float64Net(const artifacts::Checkpoint& checkpoint)
    : impl_(std::make_unique<Impl>(checkpoint)) {}
Float64Net::~Float64Net() = default;

std::vector<runtime::Statistics> Float64Net::Recalibrate(
    const space::Architecture& architecture, const artifacts::ImageSet& set, std::int64_t count,
    std::int64_t batch_size, const std::vector<runtime::Statistics>& like) {
  const at::NoGradGuard no_grad;
  impl_->size = architecture.resolution;
  impl_->subnet.emplace(*impl_->net, architecture);
  std::vector<at::Tensor> batches;
  for (std::int64_t i = 0; i < count; i += batch_size) {
    batches.push_back(impl_->Batch(set, i, std::min(count, i + batch_size)));
  }
  impl_->subnet->Recalibrate(batches);

  const auto tensors = impl_->subnet->ToTensors();
  const auto plan = space::SubnetPlan(impl_->checkpoint.space, architecture);
  std::vector<runtime::Statistics> statistics = like;
  for (runtime::Statistics& layer : statistics) {
    const std::string prefix = TensorPrefix(layer.layer, plan);
    layer.mean = artifacts::ToFloats(tensors.at(prefix + ".running_mean"));
    layer.variance = artifacts::ToFloats(tensors.at(prefix + ".running_var"));
  }
  return statistics;
}

std::vector<double> Float64Net::Logits(const artifacts::ImageSet& set, std::int64_t begin,
                                       std::int64_t end) {
  const at::NoGradGuard no_grad;
  const at::Tensor logits = impl_->subnet->Forward(impl_->Batch(set, begin, end)).contiguous();
  return {logits.data_ptr<double>(), logits.data_ptr<double>() + logits.numel()};
}

}  // namespace oqat::bench
