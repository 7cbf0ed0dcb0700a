#include "bench/fake_net.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <map>
#include <string>

#include "artifacts/supernet_tensors.h"
#include "runtime/input.h"
#include "supernet/elastic_net.h"
#include "supernet/extract.h"

namespace oqat::bench {

namespace {

constexpr std::int64_t kBatch = 100;

/// The checkpoint's name of the BatchNorm behind a runtime layer, "blocks.2.depth_conv".
std::string BatchNormName(const std::string& layer) {
  const std::string blocks = "blocks.";
  if (!layer.starts_with(blocks)) return layer + ".bn";
  const std::size_t dot = layer.find('.', blocks.size());
  const int index = std::stoi(layer.substr(blocks.size(), dot - blocks.size()));
  // The released code wraps the layers of elastic blocks, all but the first, once more.
  return artifacts::BlockPrefix(index) + layer.substr(dot + 1) + (index == 0 ? ".bn" : ".bn.bn");
}

/// The active channels come first; the others keep their values, which nothing reads.
void Overwrite(artifacts::Tensor& tensor, const std::vector<float>& first) {
  std::vector<float> values = artifacts::ToFloats(tensor);
  std::copy(first.begin(), first.end(), values.begin());
  tensor = artifacts::TensorFromFloats(tensor.shape, values.data());
}

}  // namespace

struct FakeNet::Impl {
  Impl(const artifacts::Checkpoint& checkpoint, bool single)
      : type(single ? at::kFloat : at::kDouble),
        normalization(checkpoint.normalization),
        tensors(checkpoint.tensors),
        net(checkpoint.space, checkpoint.bits, checkpoint.activation_range, 0) {
    at::set_num_threads(1);
    net->to(type);
    net->FromTensors(tensors, "checkpoint");
    net->eval();
  }

  at::Tensor Batch(runtime::InputMaker& maker, const artifacts::ImageSet& images, int size,
                   std::int64_t begin, std::int64_t end) const {
    const float* in = maker.Make(images, begin, end);
    at::Tensor batch = at::empty({end - begin, 3, size, size}, at::kFloat);
    float* out = batch.data_ptr<float>();
    for (std::int64_t plane = 0; plane < (end - begin) * 3; ++plane) {
      for (std::int64_t y = 1; y <= size; ++y) {
        const float* row = in + (plane * (size + 2) + y) * maker.row() + 1;
        out = std::copy(row, row + size, out);
      }
    }
    return batch.to(type);
  }

  const at::ScalarType type;
  const artifacts::Normalization normalization;
  std::map<std::string, artifacts::Tensor> tensors;
  supernet::ElasticNet net;
};

FakeNet::FakeNet(const artifacts::Checkpoint& checkpoint, bool single)
    : impl_(std::make_unique<Impl>(checkpoint, single)) {}
FakeNet::~FakeNet() = default;

std::vector<int> FakeNet::Classes(const space::Architecture& architecture,
                                  const std::vector<runtime::Statistics>& statistics,
                                  const artifacts::ImageSet& images, std::int64_t count,
                                  const std::function<void(std::int64_t)>& done) {
  const at::NoGradGuard no_grad;
  Impl& impl = *impl_;
  for (const runtime::Statistics& layer : statistics) {
    const std::string name = BatchNormName(layer.layer);
    Overwrite(impl.tensors.at(name + ".running_mean"), layer.mean);
    Overwrite(impl.tensors.at(name + ".running_var"), layer.variance);
  }
  impl.net->FromTensors(impl.tensors, "statistics");
  supernet::FixedNet fixed(*impl.net, architecture);
  runtime::InputMaker maker(impl.normalization, architecture.resolution,
                            impl.net->space().stem_stride);
  std::vector<int> classes;
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const std::int64_t end = std::min(count, begin + kBatch);
    const at::Tensor logits =
        fixed.Forward(impl.Batch(maker, images, architecture.resolution, begin, end));
    const at::Tensor best = logits.argmax(1).contiguous();
    const std::int64_t* first = best.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < end - begin; ++i) classes.push_back(static_cast<int>(first[i]));
    done(end);
  }
  return classes;
}

}  // namespace oqat::bench
