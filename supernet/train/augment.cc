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

namespace {

AugmentDraw::Rectangle DrawErasing(const AugmentOptions& options, int size, RandomStream& random) {
  if (!random.Bernoulli(options.erase_probability)) return {};
  constexpr double kMinArea = 0.02, kMinAspect = 0.3;
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    const double area =
        (kMinArea + random.Uniform() * (options.erase_max_area - kMinArea)) * size * size;
    const double aspect = std::exp((2 * random.Uniform() - 1) * -std::log(kMinAspect));
    const int height = static_cast<int>(std::lround(std::sqrt(area * aspect)));
    const int width = static_cast<int>(std::lround(std::sqrt(area / aspect)));
    if (height < 1 || width < 1 || height > size || width > size) continue;
    const int top = static_cast<int>(random.Below(static_cast<std::uint64_t>(size - height + 1)));
    const int left = static_cast<int>(random.Below(static_cast<std::uint64_t>(size - width + 1)));
    return {top, left, top + height, left + width};
  }
  return {};
}

AugmentDraw::Rectangle DrawCutout(const AugmentOptions& options, int size, RandomStream& random) {
  const int half = options.cutout / 2;
  const int top = static_cast<int>(random.Below(static_cast<std::uint64_t>(size))) - half;
  const int left = static_cast<int>(random.Below(static_cast<std::uint64_t>(size))) - half;
  return {std::max(0, top), std::max(0, left), std::min(size, top + options.cutout),
          std::min(size, left + options.cutout)};
}

}  // namespace

AugmentDraw DrawAugmentation(const AugmentOptions& options, int size, RandomStream& random) {
  const auto offsets = static_cast<std::uint64_t>(2 * options.crop_padding + 1);
  AugmentDraw draw;
  draw.dy = static_cast<int>(random.Below(offsets)) - options.crop_padding;
  draw.dx = static_cast<int>(random.Below(offsets)) - options.crop_padding;
  draw.flip = random.Bernoulli(0.5) && options.flip;
  if (options.erase_probability > 0) draw.blank[0] = DrawErasing(options, size, random);
  if (options.cutout > 0) draw.blank[1] = DrawCutout(options, size, random);
  return draw;
}

std::array<std::uint8_t, 3> MeanColour(const artifacts::Normalization& normalization) {
  std::array<std::uint8_t, 3> colour;
  for (int c = 0; c < 3; ++c) {
    colour[c] =
        static_cast<std::uint8_t>(std::clamp(std::lround(255 * normalization.mean[c]), 0L, 255L));
  }
  return colour;
}

InputTable MakeInputTable(const artifacts::Normalization& normalization) {
  InputTable table;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table[c][v] = static_cast<float>((v / 255.0 - normalization.mean[c]) / normalization.std[c]);
    }
  }
  return table;
}

Augmenter::Augmenter(const artifacts::Normalization& normalization, AugmentOptions options)
    : options_(options), table_(MakeInputTable(normalization)), mean_(MeanColour(normalization)) {}

void Augmenter::Crop(const std::uint8_t* source, int size, const AugmentDraw& draw) {
  std::uint8_t* target = crop_.data();
  for (int y = 0; y < size; ++y) {
    const std::uint8_t* row =
        source + std::ptrdiff_t{3} * size * std::clamp(y + draw.dy, 0, size - 1);
    for (int x = 0; x < size; ++x, target += 3) {
      const int from = std::clamp((draw.flip ? size - 1 - x : x) + draw.dx, 0, size - 1);
      std::memcpy(target, row + 3 * from, 3);
    }
  }
}

void Augmenter::Blank(int size, const AugmentDraw::Rectangle& rectangle) {
  for (int y = rectangle.top; y < rectangle.bottom; ++y) {
    for (int x = rectangle.left; x < rectangle.right; ++x) {
      std::memcpy(crop_.data() + 3 * (std::ptrdiff_t{y} * size + x), mean_.data(), 3);
    }
  }
}

void Augmenter::Apply(const artifacts::ImageSet& images, std::int64_t index, int resolution,
                      RandomStream& random, float* out) {
  const int size = images.size;
  const AugmentDraw draw = DrawAugmentation(options_, size, random);
  const std::uint8_t* pixels = images.image(index);
  const bool blanks = options_.erase_probability > 0 || options_.cutout > 0;
  if (draw.dy != 0 || draw.dx != 0 || draw.flip || blanks) {
    crop_.resize(static_cast<std::size_t>(images.bytes_per_image()));
    Crop(pixels, size, draw);
    for (const AugmentDraw::Rectangle& rectangle : draw.blank) Blank(size, rectangle);
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
