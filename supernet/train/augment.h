#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/image.h"
#include "base/random.h"

namespace oqat::supernet {

/// Mean and standard deviation per channel of the images at `indices`, in units of byte / 255,
/// rounded to four digits (so that the checkpoint's header stays readable); std is at least 0.01.
artifacts::Normalization MeasureNormalization(const artifacts::ImageSet& images,
                                              std::span<const std::int64_t> indices);

/// The order in which training images are used: a shuffle of `indices` per epoch, one after the
/// other without end.
class Sampler {
 public:
  /// Draws from streams (seed, "train.order", {stage, epoch}).
  Sampler(std::vector<std::int64_t> indices, std::uint64_t seed, std::uint64_t stage);

  struct Draw {
    std::int64_t image = 0;
    std::uint64_t epoch = 0;
    std::uint64_t position = 0;  ///< within the epoch
  };
  Draw Next();

  /// Goes to where Next would be after `draws` calls from the beginning.
  void Seek(std::int64_t draws);

 private:
  void Shuffle();

  const std::vector<std::int64_t> indices_;
  std::vector<std::int64_t> order_;
  std::uint64_t seed_, stage_, epoch_ = 0;
  std::size_t next_ = 0;
};

struct AugmentOptions {
  int crop_padding = 0;  ///< pixels; the border is filled with the nearest pixel's colour
  bool flip = false;
  double erase_probability = 0;  ///< of a rectangle in the mean colour (Zhong et al. 2020)
  double erase_max_area = 0.33;  ///< its largest share of the image; the smallest is 0.02
  int cutout = 0;  ///< side of a square in the mean colour, clipped by the border (DeVries 2017)
};

/// What happens to one picture. Pixels are those of the image as it is kept.
struct AugmentDraw {
  int dy = 0, dx = 0;  ///< where the crop begins in the image; the border is repeated
  bool flip = false;   ///< left and right of the crop change places
  /// Of the crop, in the mean colour; empty where nothing is blanked.
  struct Rectangle {
    int top = 0, left = 0, bottom = 0, right = 0;
  };
  std::array<Rectangle, 2> blank{};
};

/// Decides it for an image of `size` pixels. Consumes three numbers of `random` for crop and flip
/// whatever the options are. The one place that draws: batches made on the CPU and on a device are
/// of the same pictures.
AugmentDraw DrawAugmentation(const AugmentOptions& options, int size, RandomStream& random);

/// The mean colour in bytes.
std::array<std::uint8_t, 3> MeanColour(const artifacts::Normalization& normalization);

/// Network input by channel and byte: (byte / 255 - mean) / std.
using InputTable = std::array<std::array<float, 256>, 3>;
InputTable MakeInputTable(const artifacts::Normalization& normalization);

/// Turns bytes into network input: random crop of the padded image, random flip, erasing, cutout,
/// resize to the step's resolution, normalise. Not thread-safe: it owns scratch memory.
class Augmenter {
 public:
  Augmenter(const artifacts::Normalization& normalization, AugmentOptions options);

  /// Writes image `index` as [resolution, resolution, 3] floats (so a batch is channels_last).
  /// Equal streams give the same picture at any resolution.
  void Apply(const artifacts::ImageSet& images, std::int64_t index, int resolution,
             RandomStream& random, float* out);

 private:
  void Crop(const std::uint8_t* source, int size, const AugmentDraw& draw);
  void Blank(int size, const AugmentDraw::Rectangle& rectangle);

  AugmentOptions options_;
  InputTable table_;
  std::array<std::uint8_t, 3> mean_;
  std::vector<std::uint8_t> crop_, resized_;
};

}  // namespace oqat::supernet
