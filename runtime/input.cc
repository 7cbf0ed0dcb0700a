#include "runtime/input.h"

namespace oqat::runtime {

InputMaker::InputMaker(const artifacts::Normalization& normalization, int size, int stride)
    : size_(size),
      row_(size + 2 + 4 * stride),
      resized_(static_cast<std::size_t>(3) * static_cast<std::size_t>(size) *
               static_cast<std::size_t>(size)) {
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t value = 0; value < 256; ++value) {
      table_[c][value] = static_cast<float>(
          (static_cast<double>(value) / 255.0 - normalization.mean[c]) / normalization.std[c]);
    }
  }
}

const float* InputMaker::Make(const artifacts::ImageSet& set, std::int64_t begin,
                              std::int64_t end) {
  // Only the inside of an image is ever written: what is around it stays zero.
  const auto needed = static_cast<std::size_t>((end - begin) * floats_per_image());
  if (input_.size() < needed) input_.resize(needed);
  const std::int64_t channel = (size_ + 2) * row_;
  for (std::int64_t i = begin; i < end; ++i) {
    const std::uint8_t* source = set.image(i);
    if (set.size != size_) {
      artifacts::ResizeSquare(source, set.size, resized_.data(), static_cast<int>(size_));
      source = resized_.data();
    }
    float* target = input_.data() + (i - begin) * floats_per_image() + row_ + 1;
    for (std::int64_t y = 0; y < size_; ++y, target += row_) {
      for (std::int64_t x = 0; x < size_; ++x, source += 3) {
        target[x] = table_[0][source[0]];
        target[x + channel] = table_[1][source[1]];
        target[x + 2 * channel] = table_[2][source[2]];
      }
    }
  }
  return input_.data();
}

}  // namespace oqat::runtime
