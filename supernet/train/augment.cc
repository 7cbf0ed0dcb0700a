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

void Sampler::Seek(std::int64_t draws) {
  const auto n = static_cast<std::uint64_t>(draws);
  epoch_ = n / indices_.size();
  Shuffle();
  next_ = n % indices_.size();
}

Augmenter::Augmenter(const artifacts::Normalization& normalization, AugmentOptions options)
    : options_(options) {
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table_[c][v] = static_cast<float>((v / 255.0 - normalization.mean[c]) / normalization.std[c]);
    }
    mean_[c] =
        static_cast<std::uint8_t>(std::clamp(std::lround(255 * normalization.mean[c]), 0L, 255L));
  }
}

void Augmenter::Crop(const std::uint8_t* source, int size, int dy, int dx, bool flip) {
  std::uint8_t* target = crop_.data();
  for (int y = 0; y < size; ++y) {
    const std::uint8_t* row = source + std::ptrdiff_t{3} * size * std::clamp(y + dy, 0, size - 1);
    for (int x = 0; x < size; ++x, target += 3) {
      const int from = std::clamp((flip ? size - 1 - x : x) + dx, 0, size - 1);
      std::memcpy(target, row + 3 * from, 3);
    }
  }
}

void Augmenter::Blank(int size, int top, int left, int bottom, int right) {
  for (int y = std::max(0, top); y < std::min(size, bottom); ++y) {
    for (int x = std::max(0, left); x < std::min(size, right); ++x) {
      std::memcpy(crop_.data() + 3 * (std::ptrdiff_t{y} * size + x), mean_, 3);
    }
  }
}

void Augmenter::Erase(int size, RandomStream& random) {
  if (!random.Bernoulli(options_.erase_probability)) return;
  constexpr double kMinArea = 0.02, kMinAspect = 0.3;
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    const double area =
        (kMinArea + random.Uniform() * (options_.erase_max_area - kMinArea)) * size * size;
    const double aspect = std::exp((2 * random.Uniform() - 1) * -std::log(kMinAspect));
    const int height = static_cast<int>(std::lround(std::sqrt(area * aspect)));
    const int width = static_cast<int>(std::lround(std::sqrt(area / aspect)));
    if (height < 1 || width < 1 || height > size || width > size) continue;
    const int top = static_cast<int>(random.Below(static_cast<std::uint64_t>(size - height + 1)));
    const int left = static_cast<int>(random.Below(static_cast<std::uint64_t>(size - width + 1)));
    Blank(size, top, left, top + height, left + width);
    return;
  }
}

void Augmenter::Cutout(int size, RandomStream& random) {
  const int top = static_cast<int>(random.Below(static_cast<std::uint64_t>(size)));
  const int left = static_cast<int>(random.Below(static_cast<std::uint64_t>(size)));
  const int half = options_.cutout / 2;
  Blank(size, top - half, left - half, top - half + options_.cutout, left - half + options_.cutout);
}

void Augmenter::Apply(const artifacts::ImageSet& images, std::int64_t index, int resolution,
                      RandomStream& random, float* out) {
  const int size = images.size, padding = options_.crop_padding;
  const auto offsets = static_cast<std::uint64_t>(2 * padding + 1);
  const int dy = static_cast<int>(random.Below(offsets)) - padding;
  const int dx = static_cast<int>(random.Below(offsets)) - padding;
  const bool flip = random.Bernoulli(0.5) && options_.flip;

  const std::uint8_t* pixels = images.image(index);
  const bool blanks = options_.erase_probability > 0 || options_.cutout > 0;
  if (dy != 0 || dx != 0 || flip || blanks) {
    crop_.resize(static_cast<std::size_t>(images.bytes_per_image()));
    Crop(pixels, size, dy, dx, flip);
    if (options_.erase_probability > 0) Erase(size, random);
    if (options_.cutout > 0) Cutout(size, random);
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
