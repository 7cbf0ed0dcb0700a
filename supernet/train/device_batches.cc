#define TORCH_ASSERT_ONLY_METHOD_OPERATORS
#include "supernet/train/device_batches.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/where.h>

#include <utility>

namespace oqat::supernet {
namespace {

/// A copy of host memory on the device.
at::Tensor Copy(const void* data, at::IntArrayRef shape, at::ScalarType type,
                const at::Device& device) {
  return at::from_blob(const_cast<void*>(data), shape, type).to(device, type, false, true);
}

/// What the host decides of one image, as the columns of a table of int64.
enum Column { kImage, kDy, kDx, kFlip, kBlank, kColumns = kBlank + 8 };

void Fill(std::int64_t* row, std::int64_t image, const AugmentDraw& draw) {
  row[kImage] = image;
  row[kDy] = draw.dy;
  row[kDx] = draw.dx;
  row[kFlip] = draw.flip ? 1 : 0;
  std::int64_t* edges = row + kBlank;
  for (const AugmentDraw::Rectangle& r : draw.blank) {
    for (const int edge : {r.top, r.left, r.bottom, r.right}) *edges++ = edge;
  }
}

}  // namespace

DeviceImages CopyToDevice(const artifacts::ImageSet& images, const at::Device& device) {
  const std::int64_t size = images.size;
  return {images.size,
          Copy(images.pixels.data(), {images.count() * size * size, 3}, at::kByte, device),
          Copy(images.labels.data(), {images.count()}, at::kInt, device).to(at::kLong)};
}

DeviceBatches::DeviceBatches(BatchPlan plan, const DeviceImages& images)
    : plan_(std::move(plan)),
      images_(images),
      options_(plan_.augment_options()),
      sampler_(plan_.train_indices, plan_.seed, static_cast<std::uint64_t>(plan_.stage.bits)),
      step_(plan_.first_step) {
  sampler_.Seek(plan_.first_step * plan_.stage.batch_size);
  const at::Device device = images_.pixels.device();
  const InputTable table = MakeInputTable(plan_.normalization);
  axis_ = at::arange(images_.size, at::TensorOptions(at::kLong).device(device));
  mean_ = Copy(MeanColour(plan_.normalization).data(), {3}, at::kByte, device);
  table_ = Copy(table.data(), {3 * 256}, at::kFloat, device);
  channel_ = at::arange(3, at::TensorOptions(at::kLong).device(device)).mul(256);
}

at::Tensor DeviceBatches::Resized(const at::Tensor& pictures, int resolution) {
  if (resolution == images_.size) return pictures;
  const artifacts::ResizeWeights resize = artifacts::WeightsOfResize(images_.size, resolution);
  at::Tensor& weights = resize_weights_[resolution];
  if (!weights.defined()) {
    weights = Copy(resize.weights.data(), {resolution, images_.size}, at::kLong, pictures.device())
                  .to(at::kDouble);
  }
  // [n, 3, size, size]; every product and sum is an integer below 2^53.
  const at::Tensor planes = pictures.permute({0, 3, 1, 2}).to(at::kDouble);
  const at::Tensor sums = at::matmul(at::matmul(weights, planes), weights.t());
  // n -> floor((2 n + total) / (2 total)). The half keeps the quotient away from integers by more
  // than its rounding error, however a device divides.
  const auto total = static_cast<double>(resize.unit * resize.unit);
  return (sums * 2 + (total + 0.5)).div_(2 * total).floor_().to(at::kByte).permute({0, 2, 3, 1});
}

Batch DeviceBatches::Next() {
  const at::NoGradGuard no_grad;
  const std::int64_t count = plan_.stage.batch_size, size = images_.size;
  at::Tensor draws = at::empty({count, kColumns}, at::kLong);
  for (std::int64_t i = 0; i < count; ++i) {
    const Sampler::Draw draw = sampler_.Next();
    RandomStream random(plan_.seed, "train.augment",
                        {static_cast<std::uint64_t>(plan_.stage.bits), draw.epoch, draw.position});
    Fill(draws.data_ptr<std::int64_t>() + i * kColumns, draw.image,
         DrawAugmentation(options_, images_.size, random));
  }
  draws = draws.to(images_.pixels.device(), at::kLong, true);
  const auto column = [&](int index) { return draws.narrow(1, index, 1); };  // [n, 1]

  // Crop and flip are where each pixel comes from, so one look-up does both.
  const at::Tensor rows = (axis_ + column(kDy)).clamp_(0, size - 1);
  const at::Tensor across = at::where(column(kFlip).to(at::kBool), size - 1 - axis_, axis_);
  const at::Tensor columns = (across + column(kDx)).clamp_(0, size - 1);
  const at::Tensor places = (column(kImage) * size + rows).mul_(size).unsqueeze(2) +
                            columns.unsqueeze(1);  // [n, size, size]
  at::Tensor pictures =
      images_.pixels.index_select(0, places.flatten()).view({count, size, size, 3});
  if (options_.erase_probability > 0 || options_.cutout > 0) {
    for (int edges = kBlank; edges < kColumns; edges += 4) {
      const at::Tensor down = (axis_ >= column(edges)).logical_and_(axis_ < column(edges + 2));
      const at::Tensor right = (axis_ >= column(edges + 1)).logical_and_(axis_ < column(edges + 3));
      const at::Tensor inside = down.unsqueeze(2).logical_and(right.unsqueeze(1)).unsqueeze(3);
      pictures = at::where(inside, mean_, pictures);
    }
  }

  Batch batch;
  batch.labels = images_.labels.index_select(0, column(kImage).flatten());
  for (const int resolution : plan_.ResolutionsOf(step_)) {
    const at::Tensor entries = Resized(pictures, resolution).to(at::kLong) + channel_;
    batch.images[resolution] = table_.index_select(0, entries.flatten())
                                   .view({count, resolution, resolution, 3})
                                   .permute({0, 3, 1, 2});
  }
  ++step_;
  return batch;
}

}  // namespace oqat::supernet
