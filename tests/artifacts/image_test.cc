#include "artifacts/image.h"

#include <gmock/gmock.h>
#include <png.h>

#include <cstring>

#include "artifacts/datasets/decode.h"
#include "base/random.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Pixels = std::vector<std::uint8_t>;

Pixels Resized(const Pixels& source, int from, int to) {
  Pixels target(std::size_t{3} * to * to);
  ResizeSquare(source.data(), from, target.data(), to);
  return target;
}

Pixels Random(int side, std::uint64_t seed) {
  RandomStream random(seed);
  Pixels pixels(std::size_t{3} * side * side);
  for (std::uint8_t& byte : pixels) byte = static_cast<std::uint8_t>(random.Below(256));
  return pixels;
}

TEST(ResizeSquare, ShrinkingByAWholeFactorIsTheRoundedMean) {
  const Pixels source = Random(12, 1), target = Resized(source, 12, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      for (int c = 0; c < 3; ++c) {
        int sum = 0;
        for (int i = 0; i < 9; ++i) sum += source[((3 * y + i / 3) * 12 + 3 * x + i % 3) * 3 + c];
        EXPECT_EQ(target[(y * 4 + x) * 3 + c], (2 * sum + 9) / 18);
      }
    }
  }
}

TEST(ResizeSquare, ShrinkingByAFractionWeighsByArea) {
  // 3 -> 2: one and a half source pixels per target pixel.
  Pixels source(27, 0);
  source[0] = 90;                // (0, 0)
  source[(1 * 3 + 1) * 3] = 90;  // (1, 1), a quarter of it in each target pixel
  const Pixels target = Resized(source, 3, 2);
  EXPECT_EQ(target[0], 50);  // (90 + 22.5) / 2.25
  EXPECT_EQ(target[3], 10);
  EXPECT_EQ(target[9], 10);
}

TEST(ResizeSquare, GrowingIsBilinearWithHalfPixelCentres) {
  Pixels source(12, 0);
  for (int y = 0; y < 2; ++y) source[(y * 2 + 1) * 3] = 100;
  const Pixels target = Resized(source, 2, 4);
  std::vector<int> red;
  for (int x = 0; x < 4; ++x) red.push_back(target[x * 3]);
  EXPECT_THAT(red, ElementsAre(0, 25, 75, 100));
}

TEST(ResizeSquare, KeepsFlatImagesMirrorsAndTheSameSize) {
  for (int from : {1, 2, 5, 24, 32, 33}) {
    for (int to : {1, 3, 24, 32, 64}) {
      for (int level : {0, 1, 127, 255}) {
        EXPECT_THAT(Resized(Pixels(std::size_t{3} * from * from, level), from, to), Each(level));
      }
      // Mirroring before or after is the same; rounding does not lean to a side.
      const Pixels source = Random(from, 2);
      const auto mirrored = [](const Pixels& in, int side) {
        Pixels out(in.size());
        for (int i = 0; i < side * side; ++i) {
          std::memcpy(&out[3 * i], &in[3 * (i / side * side + side - 1 - i % side)], 3);
        }
        return out;
      };
      EXPECT_EQ(Resized(mirrored(source, from), from, to), mirrored(Resized(source, from, to), to));
      if (from == to) {
        EXPECT_EQ(Resized(source, from, to), source);
      }
    }
  }
}

TEST(WeightsOfResize, AreWhatResizeSquareComputes) {
  for (const auto& [from, to] : {std::pair{12, 7}, {8, 4}, {7, 12}, {5, 5}, {1, 3}}) {
    const Pixels source = Random(from, 4), target = Resized(source, from, to);
    const ResizeWeights resize = WeightsOfResize(from, to);
    ASSERT_EQ(resize.weights.size(), static_cast<std::size_t>(from * to));
    const std::int64_t total = resize.unit * resize.unit;
    for (int y = 0; y < to; ++y) {
      for (int x = 0; x < to; ++x) {
        std::int64_t sum = 0;
        for (int v = 0; v < from; ++v) {
          for (int u = 0; u < from; ++u) {
            sum += resize.weights[y * from + v] * resize.weights[x * from + u] *
                   source[3 * (v * from + u) + 1];
          }
        }
        ASSERT_EQ((2 * sum + total) / (2 * total), target[3 * (y * to + x) + 1]) << from << to;
      }
    }
  }
}

TEST(AppendCropped, TakesTheMiddle) {
  RgbImage image{5, 2, Pixels(30)};
  for (int i = 0; i < 10; ++i) std::memset(&image.pixels[3 * i], i, 3);
  ImageSet images{2, {}, {}};
  AppendCropped(image, 7, images);
  EXPECT_THAT(images.pixels, ElementsAre(1, 1, 1, 2, 2, 2, 6, 6, 6, 7, 7, 7));
  EXPECT_THAT(images.labels, ElementsAre(7));
}

TEST(DecodePng, EveryColourTypeBecomesRgb) {
  const Pixels rgb{10, 20, 30, 200, 100, 0};
  EXPECT_EQ(DecodeImage(MakePng(2, 1, rgb.data(), PNG_FORMAT_RGB), "x").pixels, rgb);
  const Pixels grey{0, 200};
  EXPECT_THAT(DecodeImage(MakePng(2, 1, grey.data(), PNG_FORMAT_GRAY), "x").pixels,
              ElementsAre(0, 0, 0, 200, 200, 200));
  const Pixels rgba{10, 20, 30, 255, 200, 100, 0, 1};
  EXPECT_EQ(DecodeImage(MakePng(2, 1, rgba.data(), PNG_FORMAT_RGBA), "x").pixels, rgb);
  const Pixels grey_alpha{0, 255, 200, 128};
  EXPECT_THAT(DecodeImage(MakePng(2, 1, grey_alpha.data(), PNG_FORMAT_GA), "x").pixels,
              ElementsAre(0, 0, 0, 200, 200, 200));
  const Pixels indices{1, 0};
  EXPECT_THAT(
      DecodeImage(MakePng(2, 1, indices.data(), PNG_FORMAT_RGB_COLORMAP, rgb.data(), 2), "x")
          .pixels,
      ElementsAre(200, 100, 0, 10, 20, 30));
  const std::vector<std::uint16_t> linear{0, 65535, 0};
  EXPECT_THAT(DecodeImage(MakePng(1, 1, linear.data(), PNG_FORMAT_LINEAR_RGB), "x").pixels,
              ElementsAre(0, 255, 0));
}

TEST(DecodeJpeg, EveryKindBecomesRgb) {
  const auto near = [](const RgbImage& image, std::vector<int> expected) {
    ASSERT_EQ(image.width, 16);
    ASSERT_EQ(image.height, 8);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      ASSERT_NEAR(image.pixels[i], expected[i % 3], 3) << i;
    }
  };
  Pixels rgb, grey(128, 77), cmyk;
  for (int i = 0; i < 128; ++i) {
    rgb.insert(rgb.end(), {200, 60, 30});
    cmyk.insert(cmyk.end(), {255, 128, 0, 204});
  }
  near(DecodeImage(MakeJpeg(16, 8, rgb), "x"), {200, 60, 30});
  near(DecodeImage(MakeJpeg(16, 8, rgb, JpegKind::kProgressive), "x"), {200, 60, 30});
  near(DecodeImage(MakeJpeg(16, 8, grey, JpegKind::kGrey), "x"), {77, 77, 77});
  near(DecodeImage(MakeJpeg(16, 8, cmyk, JpegKind::kCmyk), "x"), {204, 102, 0});
}

TEST(Decode, DamagedFilesAreNamed) {
  const auto complaint = [&](const std::string& bytes) {
    return ThrownBy([&] { DecodeImage(bytes, "dir/a.jpg"); });
  };
  EXPECT_THAT(complaint("hello, I am text"),
              StartsWith("DATA_LOSS: dir/a.jpg: is neither a JPEG nor a PNG"));
  EXPECT_THAT(complaint(""), StartsWith("DATA_LOSS: dir/a.jpg: is neither"));
  const Pixels noise = Random(32, 3);
  for (const std::string& whole :
       {MakeJpeg(32, 32, noise), MakeJpeg(32, 32, noise, JpegKind::kProgressive),
        MakePng(32, 32, noise.data(), PNG_FORMAT_RGB)}) {
    for (std::size_t size : {whole.size() / 10, whole.size() / 2, whole.size() - 40}) {
      EXPECT_THAT(complaint(whole.substr(0, size)), StartsWith("DATA_LOSS: dir/a.jpg: ")) << size;
    }
    // An error leaves nothing behind that would spoil the next image.
    EXPECT_EQ(DecodeImage(whole, "x").width, 32);
  }
}

TEST(Decode, DecompressionBombsAreRefusedBeforeTheyGrow) {
  const Pixels grey(64, 9);
  std::string jpeg = MakeJpeg(8, 8, grey, JpegKind::kGrey);
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xf0\xf0\xf0\xf0");
  EXPECT_THAT(ThrownBy([&] { DecodeImage(jpeg, "b.jpg"); }),
              StartsWith("RESOURCE_EXHAUSTED: b.jpg: size: got 61680 x 61680 pixels"));
  const Pixels row(20000, 0);
  std::string png = MakePng(20000, 1, row.data(), PNG_FORMAT_GRAY);
  png.replace(20, 4, std::string("\0\0\x4e\x20", 4));  // 20000 rows, its checksum to match
  const std::uint32_t crc = [&] {
    std::uint32_t value = ~0u;
    for (std::size_t i = 12; i < 29; ++i) {
      value ^= static_cast<unsigned char>(png[i]);
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
    }
    return ~value;
  }();
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_THAT(ThrownBy([&] { DecodeImage(png, "b.png"); }),
              StartsWith("RESOURCE_EXHAUSTED: b.png: size: got 20000 x 20000 pixels"));
}

}  // namespace
}  // namespace oqat::artifacts
