#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <map>

#include "supernet/train/batch_loader.h"

namespace oqat::supernet {

/// A data set on a device: 3 x size x size + 8 bytes per image.
struct DeviceImages {
  int size = 0;
  at::Tensor pixels;  ///< [count x size x size, 3] uint8
  at::Tensor labels;  ///< [count] int64
};

/// Copies all images. Throws c10::Error where the device's memory does not suffice.
DeviceImages CopyToDevice(const artifacts::ImageSet& images, const at::Device& device);

/// Batches that are made where the images are, a few operations for a whole batch: the host only
/// draws random numbers. Equal to those of BatchLoader bit by bit, on any device: only integers,
/// sums that float64 holds exactly, and table look-ups. Not thread-safe.
class DeviceBatches : public BatchSource {
 public:
  /// `images` are those of the plan, and must outlive this; stages can share them.
  DeviceBatches(BatchPlan plan, const DeviceImages& images);

  /// Never waits for the device.
  Batch Next() override;

 private:
  at::Tensor Resized(const at::Tensor& pictures, int resolution);

  const BatchPlan plan_;
  const DeviceImages& images_;
  const AugmentOptions options_;
  Sampler sampler_;
  std::int64_t step_;
  at::Tensor axis_;                           ///< [size] int64: 0, 1, ...
  at::Tensor mean_;                           ///< [3] uint8
  at::Tensor table_;                          ///< [3 x 256] float32, InputTable
  at::Tensor channel_;                        ///< [3] int64: where a channel's table begins
  std::map<int, at::Tensor> resize_weights_;  ///< by resolution: [resolution, size] float64
};

}  // namespace oqat::supernet
