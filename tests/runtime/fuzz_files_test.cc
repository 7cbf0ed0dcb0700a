// Damaged bytes of checkpoints and evaluation sets, through their readers into the engine: what a
// reader lets through, the engine refuses with an Error or survives.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>

#include "artifacts/evaluation_set.h"
#include "base/error.h"
#include "base/files.h"
#include "runtime/evaluate.h"
#include "tests/artifacts/mutation.h"

namespace oqat::runtime {
namespace {

constexpr int kFiles = 2000;

artifacts::EvaluationSet Set(int classes) {
  artifacts::EvaluationSet set;
  set.source = "noise";
  for (int c = 0; c < classes; ++c) set.class_names.push_back(std::to_string(c));
  set.image_size = 24;
  RandomStream random(5);
  for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
    images->size = set.image_size;
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images->bytes_per_image()));
    for (int i = 0; i < 4; ++i) {
      for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
      images->Append(pixels.data(), static_cast<std::int32_t>(random.Below(classes)));
    }
  }
  return set;
}

/// Gives `use` damaged versions of `sound`; every second one only within the first `header` bytes,
/// without which nearly all damage would be to numbers.
void ForEachDamage(const std::string& sound, std::size_t header, std::uint64_t seed,
                   const std::function<void(const std::string&)>& use) {
  RandomStream random(seed, "files");
  int refused = 0, survived = 0;
  for (int i = 0; i < kFiles; ++i) {
    const std::string bytes =
        i % 2 == 0 ? artifacts::Mutated(sound, random)
                   : artifacts::Mutated(sound.substr(0, header), random) + sound.substr(header);
    try {
      use(bytes);
      ++survived;
    } catch (const Error& error) {  // any other exception fails the test
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(refused, kFiles / 4);
  EXPECT_GT(survived, kFiles / 20);
}

/// A safetensors file begins with the length of its header.
std::size_t HeaderBytes(const std::string& file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  return static_cast<std::size_t>(length) + sizeof length;
}

void EvaluateOne(const artifacts::Checkpoint& checkpoint, const artifacts::EvaluationSet& set) {
  const QuantizedSupernet supernet(checkpoint, "checkpoint");
  const auto result = Evaluate(supernet, space::Smallest(checkpoint.space, checkpoint.bits), set,
                               {}, KernelsFor(DefaultIsa()));
  EXPECT_GE(result.top1, 0);
  EXPECT_LE(result.top1, 1);
  EXPECT_EQ(result.images, set.search.count());
}

TEST(FuzzFiles, Checkpoints) {
  const std::string sound = ReadFile(OQAT_SOURCE_DIR "/models/tiny/b4.safetensors");
  const artifacts::EvaluationSet set = Set(10);
  ForEachDamage(sound, HeaderBytes(sound), 1, [&](const std::string& bytes) {
    EvaluateOne(artifacts::ParseCheckpoint(bytes, "a.safetensors"), set);
  });
}

TEST(FuzzFiles, EvaluationSets) {
  const artifacts::Checkpoint checkpoint =
      artifacts::ReadCheckpoint(OQAT_SOURCE_DIR "/models/tiny/b4.safetensors");
  const std::string sound = artifacts::SerializeEvaluationSet(Set(10));
  ForEachDamage(sound, HeaderBytes(sound), 2, [&](const std::string& bytes) {
    EvaluateOne(checkpoint, artifacts::ParseEvaluationSet(bytes, "set"));
  });
}

}  // namespace
}  // namespace oqat::runtime
