#include "supernet/train/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace oqat::supernet {
namespace {

double RoundTo4Digits(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

artifacts::Normalization MeasureNormalization(const artifacts::ImageSet& images,
                                              std::span<const std::int64_t> indices) {
  // Integer sums: the result does not depend on the order or on the compiler.
  std::uint64_t sum[3] = {}, squares[3] = {};
  const std::int64_t pixels = std::int64_t{1} * images.size * images.size;
  for (const std::int64_t index : indices) {
    const std::uint8_t* p = images.image(index);
    for (std::int64_t i = 0; i < pixels; ++i) {
      for (int c = 0; c < 3; ++c) {
        const std::uint64_t v = p[3 * i + c];
        sum[c] += v;
        squares[c] += v * v;
      }
    }
  }
  artifacts::Normalization result;
  const double n = static_cast<double>(pixels) * static_cast<double>(indices.size());
  for (int c = 0; c < 3; ++c) {
    const double mean = static_cast<double>(sum[c]) / n;
    const double variance = std::max(0.0, static_cast<double>(squares[c]) / n - mean * mean);
    result.mean[c] = RoundTo4Digits(mean / 255);
    result.std[c] = std::max(0.01, RoundTo4Digits(std::sqrt(variance) / 255));
  }
  return result;
}

Sampler::Sampler(std::vector<std::int64_t> indices, std::uint64_t seed, std::uint64_t stage)
    : indices_(std::move(indices)), seed_(seed), stage_(stage) {
  Shuffle();
}

void Sampler::Shuffle() {
  order_ = indices_;
  RandomStream random(seed_, "train.order", {stage_, epoch_});
  random.Shuffle(std::span<std::int64_t>(order_));
  next_ = 0;
}

Sampler::Draw Sampler::Next() {
  if (next_ == order_.size()) {
    ++epoch_;
    Shuffle();
  }
  const std::size_t position = next_++;
  return {order_[position], epoch_, position};
}

Augmenter::Augmenter(const artifacts::Normalization& normalization, AugmentOptions options)
    : options_(options) {
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table_[c][v] = static_cast<float>((v / 255.0 - normalization.mean[c]) / normalization.std[c]);
    }
  }
}

void Augmenter::Apply(const artifacts::ImageSet& images, std::int64_t index, int resolution,
                      RandomStream& random, float* out) {
  const int size = images.size, padding = options_.crop_padding;
  const auto offsets = static_cast<std::uint64_t>(2 * padding + 1);
  const int dy = static_cast<int>(random.Below(offsets)) - padding;
  const int dx = static_cast<int>(random.Below(offsets)) - padding;
  const bool flip = random.Bernoulli(0.5) && options_.flip;

  const std::uint8_t* pixels = images.image(index);
  if (dy != 0 || dx != 0 || flip) {
    crop_.resize(static_cast<std::size_t>(images.bytes_per_image()));
    std::uint8_t* target = crop_.data();
    for (int y = 0; y < size; ++y) {
      const std::uint8_t* row = pixels + std::ptrdiff_t{3} * size * std::clamp(y + dy, 0, size - 1);
      for (int x = 0; x < size; ++x, target += 3) {
        const int from = std::clamp((flip ? size - 1 - x : x) + dx, 0, size - 1);
        std::memcpy(target, row + 3 * from, 3);
      }
    }
    pixels = crop_.data();
  }
  if (resolution != size) {
    resized_.resize(std::size_t{3} * resolution * resolution);
    artifacts::ResizeSquare(pixels, size, resized_.data(), resolution);
    pixels = resized_.data();
  }
  const std::int64_t count = std::int64_t{1} * resolution * resolution;
  for (std::int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) out[3 * i + c] = table_[c][pixels[3 * i + c]];
  }
}

}  // namespace oqat::supernet
