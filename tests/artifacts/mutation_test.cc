#include <gtest/gtest.h>
#include <png.h>

#include <cstring>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "base/random.h"
#include "tests/artifacts/samples.h"
#include "tests/artifacts/testing.h"

// Every reader gets thousands of damaged files of its kind: each must be read or refused with an
// Error. Run under the asan preset, this is the proof that readers survive any bytes.
namespace oqat::artifacts {
namespace {

constexpr int kMutations = 3000;

std::string Mutated(std::string bytes, RandomStream& random) {
  const int changes = 1 + static_cast<int>(random.Below(4));
  for (int change = 0; change < changes && !bytes.empty(); ++change) {
    const std::size_t at = random.Below(bytes.size());
    switch (random.Below(8)) {
      case 0: bytes.resize(at); break;
      case 1: bytes.erase(at, 1 + random.Below(16)); break;
      case 2: bytes.insert(at, 1 + random.Below(16), static_cast<char>(random.Below(256))); break;
      case 3: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8))); break;
      case 4: bytes[at] = "\"{}[]:,0912-.\\etn"[random.Below(17)]; break;
      case 5: bytes.insert(at, bytes.substr(random.Below(bytes.size()), random.Below(64))); break;
      case 6: {
        const std::uint64_t number = random.NextU64() >> random.Below(64);
        std::memcpy(&bytes[at], &number, std::min<std::size_t>(8, bytes.size() - at));
        break;
      }
      default: bytes[at] = static_cast<char>(random.Below(256));
    }
  }
  return bytes;
}

template <typename Parse>
void Survives(const std::string& valid, Parse parse, std::uint64_t seed) {
  ASSERT_EQ(ThrownBy([&] { parse(valid); }), "");
  RandomStream random(seed, "mutation");
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string bytes = Mutated(valid, random);
    try {
      parse(bytes);
    } catch (const Error& error) {
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }  // any other exception fails the test
  }
  EXPECT_GT(refused, 0);
}

std::vector<std::uint8_t> Noise() {
  RandomStream random(5);
  std::vector<std::uint8_t> pixels(17 * 13 * 4);
  for (std::uint8_t& byte : pixels) byte = static_cast<std::uint8_t>(random.Below(256));
  return pixels;
}

TEST(Mutation, SafeTensorsAndTheirKinds) {
  const std::string checkpoint = SerializeCheckpoint(SampleCheckpoint());
  Survives(
      checkpoint, [](const std::string& bytes) { ParseSafeTensors(bytes, "x"); }, 1);
  Survives(
      checkpoint, [](const std::string& bytes) { ParseCheckpoint(bytes, "x"); }, 2);
  Survives(
      SerializeEvaluationSet(SampleEvaluationSet()),
      [](const std::string& bytes) { ParseEvaluationSet(bytes, "x"); }, 3);
}

TEST(Mutation, HeadersInsideSoundFiles) {
  // The outer file stays valid, so that the damage reaches the JSON of the header.
  const auto wrapped = [](const std::string& header, std::map<std::string, Tensor> tensors) {
    SafeTensors file{{{"oqat", header}}, std::move(tensors)};
    try {
      return SerializeSafeTensors(file);
    } catch (const Error&) {  // not UTF-8: no such file can be written
      return std::string();
    }
  };
  const SafeTensors checkpoint = ParseSafeTensors(SerializeCheckpoint(SampleCheckpoint()), "x");
  const SafeTensors set = ParseSafeTensors(SerializeEvaluationSet(SampleEvaluationSet()), "x");
  Survives(
      checkpoint.metadata.at("oqat"),
      [&](const std::string& header) { ParseCheckpoint(wrapped(header, checkpoint.tensors), "x"); },
      4);
  Survives(
      set.metadata.at("oqat"),
      [&](const std::string& header) { ParseEvaluationSet(wrapped(header, set.tensors), "x"); }, 5);
}

TEST(Mutation, ModelJson) {
  Survives(
      ModelToJson(SampleModel()).dump(),
      [](const std::string& text) { ModelFromJson(ParseJson(text, "x"), "model"); }, 6);
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
