#include <png.h>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "tests/artifacts/mutation.h"

namespace oqat::artifacts {
namespace {

std::vector<std::uint8_t> Noise() {
  RandomStream random(5);
  std::vector<std::uint8_t> pixels(17 * 13 * 4);
  for (std::uint8_t& byte : pixels) byte = static_cast<std::uint8_t>(random.Below(256));
  return pixels;
}

TEST(Mutation, Images) {
  ImageSet images{8, {}, {}};
  const auto decode = [&](const std::string& bytes) {
    AppendCropped(DecodeImage(bytes, "x"), 0, images);
    images = {8, {}, {}};
  };
  const std::vector<std::uint8_t> noise = Noise();
  Survives(MakeJpeg(17, 13, noise), decode, 7);
  Survives(MakeJpeg(17, 13, noise, JpegKind::kProgressive), decode, 8);
  Survives(MakeJpeg(17, 13, noise, JpegKind::kCmyk), decode, 9);
  Survives(MakePng(17, 13, noise.data(), PNG_FORMAT_RGBA), decode, 10);
  const std::vector<std::uint8_t> zeros(17 * 13, 0);
  Survives(MakePng(17, 13, zeros.data(), PNG_FORMAT_RGB_COLORMAP, noise.data(), 20), decode, 11);
}

TEST(Mutation, IdxAndCifar) {
  const std::string images = MakeIdx({3, 5, 4}, std::string(60, 'x'));
  const std::string labels = MakeIdx({3}, std::string("\x00\x01\x02", 3));
  const auto idx = [&](const std::string& i, const std::string& l) {
    ImageSet set{6, {}, {}};
    ParseIdx(i, "i", l, "l", set);
  };
  Survives(
      images, [&](const std::string& bytes) { idx(bytes, labels); }, 12);
  Survives(
      labels, [&](const std::string& bytes) { idx(images, bytes); }, 13);
  Survives(
      Gzip(images), [&](const std::string& bytes) { idx(bytes, labels); }, 14);
  Survives(
      MakeCifarBatch(2),
      [](const std::string& bytes) {
        ImageSet set{32, {}, {}};
        ParseCifarBatch(bytes, "x", set);
      },
      15);
}

}  // namespace
}  // namespace oqat::artifacts
