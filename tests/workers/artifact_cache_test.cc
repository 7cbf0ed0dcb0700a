#include "workers/artifact_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "tests/workers/scratch.h"

namespace oqat::workers {
namespace {

using artifacts::ArtifactRef;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string Bytes(std::size_t size, char seed) {
  std::string bytes(size, seed);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(seed + i * 7 + i / 256);
  return bytes;
}

ArtifactRef RefOf(const std::string& bytes) { return {Sha256Hex(bytes), bytes.size()}; }

const auto kAlways = [] { return true; };

// In memory, in pieces of 100 bytes; runs `before_piece` first, which may throw.
class MemorySource final : public ArtifactSource {
 public:
  void Read(const std::string& sha256, std::uint64_t offset,
            const std::function<bool(std::string_view)>& sink) override {
    offsets.push_back(offset);
    const auto found = content.find(sha256);
    if (found == content.end()) throw Error(Code::kNotFound, "artifact " + sha256 + ": unknown");
    const std::string_view bytes = found->second;
    for (; offset < bytes.size(); offset += 100) {
      if (before_piece) before_piece(offset);
      if (!sink(bytes.substr(offset, 100))) return;
    }
  }

  ArtifactRef Add(const std::string& bytes) {
    content[Sha256Hex(bytes)] = bytes;
    return RefOf(bytes);
  }

  std::map<std::string, std::string> content;
  std::vector<std::uint64_t> offsets;
  std::function<void(std::uint64_t)> before_piece;
};

TEST(ArtifactCache, FetchesOnceThenServesFromDisk) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1234, 'a');
  const ArtifactRef ref = source.Add(bytes);
  ArtifactCache cache(dir / "deep/cache", 1 << 20);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  ArtifactCache another(dir / "deep/cache", 1 << 20);
  EXPECT_EQ(ReadFile(another.Fetch(ref, source, kAlways).path()), bytes);
  EXPECT_THAT(source.offsets, ElementsAre(0));
  // Nothing but the file stays behind.
  std::vector<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(cache.dir())) {
    names.push_back(item.path().filename().string());
  }
  EXPECT_THAT(names, ElementsAre(ref.sha256));
}

TEST(ArtifactCache, ResumesWhereAStreamBroke) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'b');
  const ArtifactRef ref = source.Add(bytes);
  bool broken = false;
  source.before_piece = [&](std::uint64_t offset) {
    if (offset == 300 && !std::exchange(broken, true)) {
      throw Error(Code::kUnavailable, "connection reset");
    }
  };
  ArtifactCache cache(dir.path(), 1 << 20);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  EXPECT_THAT(source.offsets, ElementsAre(0, 300));
}

TEST(ArtifactCache, ResumesWhatAKilledWorkerLeft) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'c');
  const ArtifactRef ref = source.Add(bytes);
  WriteFileAtomically(dir / (ref.sha256 + ".part"), bytes.substr(0, 700));
  ArtifactCache cache(dir.path(), 1 << 20);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  EXPECT_THAT(source.offsets, ElementsAre(700));
}

TEST(ArtifactCache, StartsAnewIfWhatWasLeftIsDamaged) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'd');
  const ArtifactRef ref = source.Add(bytes);
  WriteFileAtomically(dir / (ref.sha256 + ".part"), std::string(500, 'x'));
  ArtifactCache cache(dir.path(), 1 << 20);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  EXPECT_THAT(source.offsets, ElementsAre(500, 0));
}

TEST(ArtifactCache, DetectsADamagedEntryAndFetchesItAgain) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'e');
  const ArtifactRef ref = source.Add(bytes);
  std::string other = bytes;
  other[500] ^= 1;
  for (const std::string& damaged : {other, bytes.substr(0, 999), std::string()}) {
    std::ofstream(dir / ref.sha256, std::ios::trunc) << damaged;
    source.offsets.clear();
    ArtifactCache cache(dir.path(), 1 << 20);
    EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
    EXPECT_THAT(source.offsets, ElementsAre(0));
  }
}

TEST(ArtifactCache, NoticesAChangeBehindItsBack) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'f');
  const ArtifactRef ref = source.Add(bytes);
  ArtifactCache cache(dir.path(), 1 << 20);
  const std::string path = cache.Fetch(ref, source, kAlways).path();
  std::ofstream(path, std::ios::trunc) << "short";
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
}

TEST(ArtifactCache, GivesUpOnBytesThatAreNotWhatTheirNameSays) {
  const ScratchDir dir;
  MemorySource source;
  const ArtifactRef ref = RefOf(Bytes(1000, 'g'));
  source.content[ref.sha256] = Bytes(1000, 'h');
  ArtifactCache cache(dir.path(), 1 << 20);
  EXPECT_THAT(ErrorOf([&] { cache.Fetch(ref, source, kAlways); }),
              AllOf(StartsWith("DATA_LOSS"), HasSubstr(ref.sha256)));
  EXPECT_THAT(source.offsets, ElementsAre(0, 0));
  EXPECT_FALSE(std::filesystem::exists(dir / ref.sha256));
  // Too short and too long.
  source.content[ref.sha256] = Bytes(900, 'g');
  EXPECT_THAT(ErrorOf([&] { cache.Fetch(ref, source, kAlways); }), HasSubstr("ended at byte"));
  source.content[ref.sha256] = Bytes(1100, 'h');
  EXPECT_THAT(ErrorOf([&] { cache.Fetch(ref, source, kAlways); }), StartsWith("DATA_LOSS"));
}

TEST(ArtifactCache, ToleratesAFewDamagedPieces) {
  const ScratchDir dir;
  MemorySource source;
  const std::string bytes = Bytes(1000, 'i');
  const ArtifactRef ref = source.Add(bytes);
  int damaged = 2;
  source.before_piece = [&](std::uint64_t offset) {
    if (offset == 200 && damaged-- > 0) throw Error(Code::kDataLoss, "crc32");
  };
  ArtifactCache cache(dir.path(), 1 << 20);
  EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
  source.before_piece = [](std::uint64_t) { throw Error(Code::kDataLoss, "crc32"); };
  EXPECT_THAT(ErrorOf([&] { cache.Fetch(source.Add("other"), source, kAlways); }),
              StartsWith("DATA_LOSS"));
}

TEST(ArtifactCache, RefusesBadReferences) {
  const ScratchDir dir;
  MemorySource source;
  ArtifactCache cache(dir.path(), 1000);
  EXPECT_THAT(ErrorOf([&] {
                cache.Fetch({"../../etc/passwd", 10}, source, kAlways);
              }),
              StartsWith("INVALID_ARGUMENT: artifact.sha256"));
  EXPECT_THAT(ErrorOf([&] {
                cache.Fetch({std::string(64, 'a'), 0}, source, kAlways);
              }),
              StartsWith("INVALID_ARGUMENT: artifact.size"));
  EXPECT_THAT(ErrorOf([&] {
                cache.Fetch({std::string(64, 'a'), 1001}, source, kAlways);
              }),
              AllOf(StartsWith("RESOURCE_EXHAUSTED"), HasSubstr("--cache-mib")));
  EXPECT_THAT(ErrorOf([&] {
                cache.Fetch({std::string(64, 'a'), 10}, source, kAlways);
              }),
              StartsWith("NOT_FOUND"));
  std::ofstream(dir / "file") << "x";
  EXPECT_THAT(ErrorOf([&] { ArtifactCache(dir / "file/cache", 1000); }), HasSubstr("--cache"));
}

TEST(ArtifactCache, StopsWhenAsked) {
  const ScratchDir dir;
  MemorySource source;
  const ArtifactRef ref = source.Add(Bytes(1000, 'j'));
  source.before_piece = [](std::uint64_t) { throw Error(Code::kUnavailable, "down"); };
  ArtifactCache cache(dir.path(), 1 << 20);
  int asked = 0;
  EXPECT_THAT(ErrorOf([&] { cache.Fetch(ref, source, [&] { return ++asked < 10; }); }),
              StartsWith("CANCELLED"));
}

TEST(ArtifactCache, DeletesTheLeastRecentlyUsedButNothingInUse) {
  const ScratchDir dir;
  MemorySource source;
  std::vector<ArtifactRef> refs;
  for (const char seed : {'k', 'l', 'm', 'n'}) refs.push_back(source.Add(Bytes(400, seed)));
  ArtifactCache cache(dir.path(), 1000);
  std::ofstream(dir / "notes.txt") << std::string(5000, 'x');  // not ours
  const auto set_age = [&](const ArtifactRef& ref, int seconds) {
    const std::string path = dir / ref.sha256;
    const timespec times[2] = {{1'000'000 - seconds, 0}, {0, UTIME_OMIT}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  const auto there = [&](int i) { return std::filesystem::exists(dir / refs[i].sha256); };
  cache.Fetch(refs[0], source, kAlways);
  cache.Fetch(refs[1], source, kAlways);
  set_age(refs[0], 10);
  set_age(refs[1], 20);
  cache.Fetch(refs[2], source, kAlways);
  EXPECT_TRUE(there(0));
  EXPECT_FALSE(there(1));
  EXPECT_TRUE(there(2));
  set_age(refs[0], 30);
  set_age(refs[2], 10);
  const CachedFile in_use = cache.Fetch(refs[0], source, kAlways);
  set_age(refs[0], 30);
  cache.Fetch(refs[3], source, kAlways);
  EXPECT_TRUE(there(0));  // the oldest, but in use
  EXPECT_FALSE(there(2));
  EXPECT_TRUE(there(3));
  EXPECT_TRUE(std::filesystem::exists(dir / "notes.txt"));
}

TEST(ArtifactCache, SeveralCachesOfOneFolderFetchOnce) {
  const ScratchDir dir;
  const std::string bytes = Bytes(5000, 'o');
  std::atomic<int> downloads{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      MemorySource source;
      const ArtifactRef ref = source.Add(bytes);
      source.before_piece = [](std::uint64_t) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      };
      ArtifactCache cache(dir.path(), 1 << 20);
      EXPECT_EQ(ReadFile(cache.Fetch(ref, source, kAlways).path()), bytes);
      downloads += static_cast<int>(source.offsets.size());
    });
  }
  threads.clear();
  EXPECT_EQ(downloads, 1);
}

}  // namespace
}  // namespace oqat::workers
