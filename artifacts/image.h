#pragma once

#include <cstdint>
#include <vector>

namespace oqat::artifacts {

/// Square RGB images of one size: `pixels` is [count, size, size, 3] bytes, row-major.
struct ImageSet {
  int size = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;

  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t bytes_per_image() const { return std::int64_t{3} * size * size; }
  const std::uint8_t* image(std::int64_t i) const { return pixels.data() + i * bytes_per_image(); }
  void Append(const std::uint8_t* image, std::int32_t label) {
    pixels.insert(pixels.end(), image, image + bytes_per_image());
    labels.push_back(label);
  }
  bool operator==(const ImageSet&) const = default;
};

/// `source` ([from, from, 3] bytes) resampled to [to, to, 3]: area average when shrinking, bilinear
/// when growing, half-pixel centres, rounded half up. Integer-exact on every machine.
void ResizeSquare(const std::uint8_t* source, int from, std::uint8_t* target, int to);

/// What ResizeSquare computes along one axis: row-major integer weights [to, from], each row of sum
/// `unit`. With n the weighted sum along both axes, a target byte is (n + unit^2 / 2) / unit^2,
/// rounded down.
struct ResizeWeights {
  std::int64_t unit = 1;
  std::vector<std::int64_t> weights;
};
ResizeWeights WeightsOfResize(int from, int to);

}  // namespace oqat::artifacts
