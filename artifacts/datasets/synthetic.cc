#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <set>

#include "artifacts/datasets/loaders.h"
#include "base/error.h"
#include "base/random.h"

// Only + - * / and sqrt, which IEEE 754 rounds exactly, so that every machine draws the same
// pixels: rotations are random unit vectors, and noise is a count of random bits.
namespace oqat::artifacts {
namespace {

constexpr std::int64_t kMaxImages = 1'000'000;
constexpr int kSamples = 3;  // per pixel and axis, against aliasing

enum class Shape { kSquare, kTriangle, kCross, kDisc, kRing };
enum class Texture { kStripes, kDiagonal, kChecker, kDots, kCircles };

// Every shape and every texture occurs in two classes: neither alone tells the class. Stripes and
// diagonals differ only by their direction within the (rotated) shape.
struct Class {
  const char* name;
  Shape shape;
  Texture texture;
};
constexpr std::array<Class, 10> kClasses{{
    {"striped square", Shape::kSquare, Texture::kStripes},
    {"diagonal square", Shape::kSquare, Texture::kDiagonal},
    {"striped triangle", Shape::kTriangle, Texture::kStripes},
    {"circled triangle", Shape::kTriangle, Texture::kCircles},
    {"diagonal cross", Shape::kCross, Texture::kDiagonal},
    {"checkered cross", Shape::kCross, Texture::kChecker},
    {"checkered disc", Shape::kDisc, Texture::kChecker},
    {"dotted disc", Shape::kDisc, Texture::kDots},
    {"dotted ring", Shape::kRing, Texture::kDots},
    {"circled ring", Shape::kRing, Texture::kCircles},
}};

struct Vec {
  double x = 0, y = 0;
};
using Color = std::array<double, 3>;  // 0 to 1

double Between(RandomStream& random, double low, double high) {
  return low + (high - low) * random.Uniform();
}

Vec Direction(RandomStream& random) {
  for (;;) {
    const Vec v{Between(random, -1, 1), Between(random, -1, 1)};
    const double square = v.x * v.x + v.y * v.y;
    if (square > 0.01 && square <= 1) return {v.x / std::sqrt(square), v.y / std::sqrt(square)};
  }
}

double Distance(const Color& a, const Color& b) {
  double sum = 0;
  for (int c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return std::sqrt(sum);
}

// A random colour at least `distance` from each of `others`.
Color Contrasting(RandomStream& random, std::initializer_list<Color> others, double distance) {
  for (;;) {
    const Color color{random.Uniform(), random.Uniform(), random.Uniform()};
    const auto far = [&](const Color& other) { return Distance(color, other) >= distance; };
    if (std::all_of(others.begin(), others.end(), far)) return color;
  }
}

// A frame in the image: where a point of the unit image lies in its own coordinates.
struct Frame {
  Vec centre, direction;
  double scale_x = 1, scale_y = 1;

  Vec Local(Vec p) const {
    const double dx = p.x - centre.x, dy = p.y - centre.y;
    return {(dx * direction.x + dy * direction.y) / scale_x,
            (dy * direction.x - dx * direction.y) / scale_y};
  }
};

Frame RandomFrame(RandomStream& random, double spread, double low, double high) {
  Frame frame;
  frame.centre = {0.5 + Between(random, -spread, spread), 0.5 + Between(random, -spread, spread)};
  frame.direction = Direction(random);
  const double radius = Between(random, low, high), aspect = Between(random, 0.87, 1.15);
  frame.scale_x = radius * aspect;
  frame.scale_y = radius / aspect;
  return frame;
}

double Magnitude(double x) { return x < 0 ? -x : x; }

bool Inside(Shape shape, Vec p) {
  const double x = Magnitude(p.x), y = Magnitude(p.y), square = p.x * p.x + p.y * p.y;
  switch (shape) {
    case Shape::kSquare: return x < 0.8 && y < 0.8;
    case Shape::kTriangle: return p.y > -0.6 && 0.8660254037844386 * x + 0.5 * p.y < 0.6;
    case Shape::kCross: return (x < 0.36 && y < 1) || (y < 0.36 && x < 1);
    case Shape::kDisc: return square < 0.9 * 0.9;
    case Shape::kRing: return square < 1 && square > 0.45 * 0.45;
  }
  return false;
}

// The part of x behind its whole number, shifted to [-0.5, 0.5).
double Phase(double x) { return x - std::floor(x) - 0.5; }

// True where the second colour shows. Lengths are in units of the period.
bool Marked(Texture texture, Vec p) {
  constexpr double kHalfDiagonal = 0.7071067811865476;
  switch (texture) {
    case Texture::kStripes: return Phase(p.y) < 0;
    case Texture::kDiagonal: return Phase((p.x + p.y) * kHalfDiagonal) < 0;
    case Texture::kChecker: return (Phase(p.x * 0.75) < 0) != (Phase(p.y * 0.75) < 0);
    case Texture::kDots: {
      const double x = Phase(p.x), y = Phase(p.y);
      return x * x + y * y < 0.32 * 0.32;
    }
    case Texture::kCircles: return Phase(std::sqrt(p.x * p.x + p.y * p.y)) < 0;
  }
  return false;
}

struct Figure {
  Shape shape;
  Texture texture;
  Frame frame;
  double period;
  Vec offset;
  Color first, second;

  bool Covers(Vec p) const { return Inside(shape, frame.Local(p)); }
  const Color& At(Vec p) const {
    const Vec local = frame.Local(p);
    const Vec place{local.x / period + offset.x, local.y / period + offset.y};
    return Marked(texture, place) ? second : first;
  }
};

Figure RandomFigure(RandomStream& random, Shape shape, Texture texture, Frame frame,
                    const Color& background) {
  Figure figure{shape, texture, frame, Between(random, 0.5, 0.66), {}, {}, {}};
  // Circles keep their common centre: shifted, they would look like stripes.
  if (texture != Texture::kCircles) figure.offset = {random.Uniform(), random.Uniform()};
  figure.first = Contrasting(random, {background}, 0.3);
  figure.second = Contrasting(random, {background, figure.first}, 0.4);
  return figure;
}

template <typename Enum>
Enum OneOf(RandomStream& random, int count) {
  return static_cast<Enum>(random.Below(static_cast<std::uint64_t>(count)));
}

std::int64_t ParseCount(std::string_view text, const std::string& field) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMaxImages) {
    throw InvalidField(field, "\"" + std::string(text) + "\"",
                       "an integer from 1 to " + std::to_string(kMaxImages));
  }
  return value;
}

}  // namespace

void DrawSynthetic(std::uint64_t seed, std::string_view purpose, std::uint64_t index, int size,
                   std::uint8_t* pixels) {
  RandomStream random(seed, purpose, {index});
  const Class& kind = kClasses[index % kClasses.size()];

  // The background fades from one colour to another and carries a faint texture of its own.
  const Color near_color = Contrasting(random, {}, 0);
  const Color far_color = Contrasting(random, {}, 0);
  const Vec fade = Direction(random);
  const Texture ground = OneOf<Texture>(random, 5);
  const Frame ground_frame = RandomFrame(random, 0.5, 0.3, 0.45);
  const double ground_strength = Between(random, 0, 0.18);
  Color middle;
  for (int c = 0; c < 3; ++c) middle[c] = 0.5 * (near_color[c] + far_color[c]);

  const Figure figure =
      RandomFigure(random, kind.shape, kind.texture, RandomFrame(random, 0.13, 0.3, 0.44), middle);

  // A smaller figure of any class near a border, behind; a plain bar across, in front.
  const bool has_distractor = random.Bernoulli(0.4);
  Frame aside = RandomFrame(random, 0, 0.13, 0.2);
  const Vec away = Direction(random);
  aside.centre = {0.5 + 0.45 * away.x, 0.5 + 0.45 * away.y};
  const Figure distractor =
      RandomFigure(random, OneOf<Shape>(random, 5), OneOf<Texture>(random, 5), aside, middle);
  const bool has_bar = random.Bernoulli(0.5);
  Frame bar = RandomFrame(random, 0.3, 0.1, 0.16);
  bar.scale_x *= 4;
  const Color bar_color = Contrasting(random, {}, 0);

  const double noise = Between(random, 0.02, 0.1);
  const double light = Between(random, 0.75, 1.1);
  const double step = 1.0 / (static_cast<double>(size) * kSamples);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      Color sum{};
      for (int sample = 0; sample < kSamples * kSamples; ++sample) {
        const Vec p{(x * kSamples + sample % kSamples + 0.5) * step,
                    (y * kSamples + sample / kSamples + 0.5) * step};
        if (has_bar && Inside(Shape::kSquare, bar.Local(p))) {
          for (int c = 0; c < 3; ++c) sum[c] += bar_color[c];
        } else if (figure.Covers(p)) {
          const Color& color = figure.At(p);
          for (int c = 0; c < 3; ++c) sum[c] += color[c];
        } else if (has_distractor && distractor.Covers(p)) {
          const Color& color = distractor.At(p);
          for (int c = 0; c < 3; ++c) sum[c] += color[c];
        } else {
          const double t = std::clamp(0.5 + fade.x * (p.x - 0.5) + fade.y * (p.y - 0.5), 0.0, 1.0);
          const Vec local = ground_frame.Local(p);
          const bool marked = Marked(ground, {local.x / 0.58, local.y / 0.58});
          const double shade = marked ? ground_strength : -ground_strength;
          for (int c = 0; c < 3; ++c) {
            sum[c] += near_color[c] + t * (far_color[c] - near_color[c]) + shade;
          }
        }
      }
      for (int c = 0; c < 3; ++c) {
        // The number of ones in 64 random bits: mean 32, standard deviation 4, nearly normal.
        const double normal = (std::popcount(random.NextU64()) - 32) / 4.0;
        const double value = light * sum[c] / (kSamples * kSamples) + noise * normal;
        *pixels++ = static_cast<std::uint8_t>(std::clamp(value, 0.0, 1.0) * 255 + 0.5);
      }
    }
  }
}

Dataset LoadSynthetic(std::string_view arguments, const DatasetOptions& options) {
  std::int64_t train = 10'000, test = 2'000;
  if (!arguments.empty()) arguments.remove_prefix(1);  // the colon
  std::set<std::string> seen;
  while (!arguments.empty()) {
    const std::string_view item = arguments.substr(0, arguments.find(','));
    arguments.remove_prefix(std::min(item.size() + 1, arguments.size()));
    const std::size_t equals = item.find('=');
    const std::string name(item.substr(0, equals));
    if (equals == std::string_view::npos || (name != "train" && name != "test") ||
        !seen.insert(name).second) {
      throw InvalidField("data: synthetic", "\"" + std::string(item) + "\"",
                         "train=N and test=N, once each");
    }
    (name == "train" ? train : test) =
        ParseCount(item.substr(equals + 1), "data: synthetic: " + name);
  }

  Dataset dataset;
  for (const Class& kind : kClasses) dataset.class_names.push_back(kind.name);
  std::int64_t done = 0;
  const auto draw = [&](std::int64_t count, std::string_view purpose, ImageSet& images) {
    images.size = options.image_size;
    images.pixels.resize(static_cast<std::size_t>(count * images.bytes_per_image()));
    for (std::int64_t i = 0; i < count; ++i) {
      DrawSynthetic(options.seed, purpose, static_cast<std::uint64_t>(i), images.size,
                    images.pixels.data() + i * images.bytes_per_image());
      images.labels.push_back(static_cast<std::int32_t>(i % std::ssize(kClasses)));
      if (++done % 500 == 0 && options.progress) options.progress(done, train + test);
    }
  };
  draw(train, "synthetic.train", dataset.train);
  draw(test, "synthetic.test", dataset.test);
  return dataset;
}

}  // namespace oqat::artifacts
