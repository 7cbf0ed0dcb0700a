#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/image.h"

namespace oqat::runtime {

/// Turns images into what a stem reads: [images][3][size + 2][row] floats, normalised, padded with
/// zeros, `row` with room for a tile beyond the edge.
class InputMaker {
 public:
  InputMaker(const artifacts::Normalization& normalization, int size, int stride);

  std::int64_t row() const { return row_; }
  std::int64_t floats_per_image() const { return 3 * (size_ + 2) * row_; }

  /// Images [begin, end), resized to `size`. The result is valid until the next call.
  const float* Make(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end);

 private:
  const std::int64_t size_, row_;
  std::array<std::array<float, 256>, 3> table_;
  std::vector<std::uint8_t> resized_;
  std::vector<float> input_;
};

}  // namespace oqat::runtime
