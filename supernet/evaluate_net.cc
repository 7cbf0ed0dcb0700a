#include "supernet/evaluate_net.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "supernet/extract.h"
#include "supernet/layers.h"

namespace oqat::supernet {

namespace {

using artifacts::ImageSet;
using NormalizationTable = std::array<std::array<float, 256>, 3>;

NormalizationTable TableOf(const artifacts::Normalization& normalization) {
  NormalizationTable table;
  for (int c = 0; c < 3; ++c) {
    for (int value = 0; value < 256; ++value) {
      table[c][value] =
          static_cast<float>((value / 255.0 - normalization.mean[c]) / normalization.std[c]);
    }
  }
  return table;
}

/// Images [begin, end) as [n, 3, size, size] float32, channels_last, resized and normalised.
at::Tensor MakeBatch(const ImageSet& images, std::int64_t begin, std::int64_t end, int size,
                     const NormalizationTable& table) {
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

}  // namespace

std::vector<at::Tensor> InputBatches(const ImageSet& images, std::int64_t count,
                                     std::int64_t batch_size, int size,
                                     const artifacts::Normalization& normalization) {
  const NormalizationTable table = TableOf(normalization);
  std::vector<at::Tensor> batches;
  for (std::int64_t i = 0; i < count; i += batch_size) {
    batches.push_back(MakeBatch(images, i, std::min(count, i + batch_size), size, table));
  }
  return batches;
}

artifacts::EvaluationResult EvaluateNet(
    const ElasticNetImpl& net, const artifacts::Normalization& normalization,
    const space::Architecture& wanted, const artifacts::EvaluationSet& set,
    const artifacts::EvaluationProtocol& protocol,
    const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  const space::SearchSpace& space = net.space();
  const space::Architecture architecture = space::Canonical(space, wanted);
  if (net.bits() != 32 && architecture.bits != net.bits()) {
    throw InvalidField("architecture.bits", std::to_string(architecture.bits),
                       "the checkpoint's " + std::to_string(net.bits()));
  }
  if (protocol.latency) {
    throw InvalidField("latency", "true", "false with engine torch: int8 is what is deployed");
  }
  const auto [calibration, count] = artifacts::CountImages(protocol, set, space);
  const ImageSet& images = set.split(protocol.split);
  const std::int64_t total = calibration + count;
  const auto report = [&](std::int64_t done) {
    if (progress && !progress(done, total)) {
      throw Error(Code::kCancelled, "evaluation stopped after " + std::to_string(done) + " of " +
                                        std::to_string(total) + " images");
    }
  };

  const at::NoGradGuard no_grad;
  const at::Device device = net.layers().stem_weight.device();
  FixedNet subnet(net, architecture);
  std::vector<at::Tensor> batches = InputBatches(set.calibration, calibration, protocol.batch_size,
                                                 architecture.resolution, normalization);
  for (at::Tensor& batch : batches) batch = batch.to(device);
  subnet.Recalibrate(batches);
  batches.clear();
  report(calibration);

  const NormalizationTable table = TableOf(normalization);
  artifacts::Score score;
  for (std::int64_t i = 0; i < count; i += protocol.batch_size) {
    const std::int64_t end = std::min(count, i + protocol.batch_size);
    const at::Tensor batch = MakeBatch(images, i, end, architecture.resolution, table).to(device);
    const at::Tensor logits = subnet.Forward(batch).cpu().contiguous();
    score.Add(logits.data_ptr<float>(), images.labels.data() + i, end - i, logits.size(1));
    report(calibration + end);
    if (score.Hopeless(protocol, count)) break;
  }
  artifacts::EvaluationResult result = score.Result();
  result.stopped = result.images < count;
  return result;
}

}  // namespace oqat::supernet
