#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/processor.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/sha256.h"

namespace oqat {
namespace {

using ::testing::HasSubstr;

std::string MessageOf(const std::function<void()>& action, Code expected) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(CodeName(error.code()), CodeName(expected)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() : folder_(::testing::TempDir() + "oqat_files_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }
  std::size_t Entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  const std::filesystem::path folder_;
};

// First values of xoshiro256** seeded by splitmix64(42): portable streams must never change, or
// every recorded search changes with them.
TEST(RandomStream, GivesTheSameNumbersForEver) {
  RandomStream random(42);
  EXPECT_EQ(random.NextU64(), 1546998764402558742ULL);
  EXPECT_EQ(random.NextU64(), 6990951692964543102ULL);
  EXPECT_EQ(random.NextU64(), 12544586762248559009ULL);
}

TEST(RandomStream, LabelsSeparateStreams) {
  std::set<std::uint64_t> firsts;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::uint64_t label = 0; label < 20; ++label) {
      firsts.insert(RandomStream(seed, "a", {label}).NextU64());
      firsts.insert(RandomStream(seed, "b", {label}).NextU64());
      firsts.insert(RandomStream(seed, "a", {label, 0}).NextU64());
    }
  }
  EXPECT_EQ(firsts.size(), 20u * 20u * 3u);
}

TEST(RandomStream, DistributionsHaveTheirMoments) {
  RandomStream random(7, "moments");
  double uniform = 0, normal = 0, square = 0;
  std::vector<int> counts(6);
  constexpr int kDraws = 60000;
  for (int i = 0; i < kDraws; ++i) {
    uniform += random.Uniform();
    const double x = random.Normal();
    normal += x;
    square += x * x;
    ++counts[random.Below(6)];
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.01);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.02);
  EXPECT_NEAR(square / kDraws, 1.0, 0.03);
  for (int count : counts) EXPECT_NEAR(count, kDraws / 6, 400);
}

TEST(Hash, KnowsTheStandardsAnswers) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("")));
  EXPECT_FALSE(IsSha256Hex("../../etc/passwd"));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'A')));
}

std::string Portable(std::string_view text, std::size_t piece) {
  PortableSha256 hash;
  for (std::size_t i = 0; i < text.size(); i += piece) {
    const std::string_view part = text.substr(i, piece);
    hash.Update(part.data(), part.size());
  }
  std::string hex;
  for (const std::uint8_t byte : hash.Digest()) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    hex += digits;
  }
  return hex;
}

// The examples of NIST for FIPS 180-4 (one block, two blocks, none, a million a).
TEST(PortableSha256, KnowsTheStandardsAnswers) {
  EXPECT_EQ(Portable("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Portable("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Portable("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 64),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Portable(std::string(1'000'000, 'a'), 1000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// With OpenSSL in the build this compares two programs; without it, lengths and cuts.
TEST(PortableSha256, EqualsTheOtherAtEveryLengthAndCut) {
  RandomStream random(3);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random.Below(256));
    EXPECT_EQ(Portable(text, 1 + random.Below(130)), Sha256Hex(text)) << size;
  }
}

TEST_F(FilesTest, AtomicFileAppearsOnlyWhenCommitted) {
  const std::string path = folder_ / "x";
  {
    AtomicFile file(path);
    file.Append("half");
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_EQ(Entries(), 0u) << "an uncommitted file left something behind";
  WriteFileAtomically(path, "whole");
  EXPECT_EQ(ReadFile(path), "whole");
  EXPECT_EQ(Sha256HexOfFile(path), Sha256Hex("whole"));
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FilesTest, AFailedWriteKeepsTheOldFile) {
  const std::string path = folder_ / "x";
  WriteFileAtomically(path, "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message =
      MessageOf([&] { WriteFileAtomically(path, std::string(100000, 'n')); }, Code::kInternal);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_THAT(message, HasSubstr(path));
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FilesTest, ReadFileNamesThePath) {
  EXPECT_THAT(MessageOf([&] { ReadFile(folder_ / "gone"); }, Code::kNotFound), HasSubstr("gone"));
  EXPECT_THAT(MessageOf([&] { ReadFile(folder_); }, Code::kInvalidArgument),
              HasSubstr("not a regular file"));
  WriteFileAtomically(folder_ / "big", "123456");
  EXPECT_THAT(MessageOf([&] { ReadFile(folder_ / "big", 5); }, Code::kResourceExhausted),
              HasSubstr("6 bytes"));
}

TEST(JsonReader, NamesTheFieldTheValueAndWhatIsAllowed) {
  const Json json = {{"n", 7}, {"list", {1, 2, 30}}, {"extra", true}};
  JsonReader reader(json, "request");
  EXPECT_EQ(reader.Int("n", 0, 10), 7);
  EXPECT_EQ(MessageOf([&] { reader.Int("n", 0, 5); }, Code::kInvalidArgument),
            "request.n: got 7; allowed: an integer from 0 to 5");
  EXPECT_THAT(MessageOf([&] { reader.IntList("list", 0, 9); }, Code::kInvalidArgument),
              HasSubstr("request.list[2]: got 30"));
  EXPECT_THAT(MessageOf([&] { reader.String("gone"); }, Code::kInvalidArgument),
              HasSubstr("request.gone: is missing"));
  EXPECT_THAT(MessageOf([&] { reader.Finish(); }, Code::kInvalidArgument),
              HasSubstr("request.extra: got an unknown field; allowed: \"n\", \"list\", \"gone\""));
}

TEST(JsonReader, RefusesNumbersThatAreNotIntegers) {
  const Json json = {{"float", 1.5}, {"huge", 18446744073709551615ULL}, {"text", "1"}};
  JsonReader reader(json, "");
  for (const char* field : {"float", "huge", "text"}) {
    EXPECT_THAT(MessageOf([&] { reader.Int(field, 0, 100); }, Code::kInvalidArgument),
                HasSubstr(field));
  }
}

TEST(ParseJson, SaysWhere) {
  EXPECT_EQ(MessageOf([] { ParseJson("{\"a\":}", "arch.json"); }, Code::kInvalidArgument),
            "arch.json: malformed JSON at byte 6");
}

TEST(ProcessorName, TellsModelsOfOneNameApart) {
  const auto name = [](const std::string& text) {
    std::istringstream cpuinfo(text);
    return ProcessorNameFrom(cpuinfo);
  };
  const std::string epyc =
      "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
      "model name\t: AMD EPYC\nstepping\t: 1\nflags\t\t: fpu\n\n"
      "processor\t: 1\nmodel\t\t: 18\n";
  EXPECT_EQ(name(epyc), "AMD EPYC, family 25 model 17 stepping 1");
  EXPECT_EQ(name("CPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"
                 "CPU revision\t: 1\n"),
            "Arm implementer 0x41 part 0xd0c, variant 0x3 revision 1");
  EXPECT_EQ(name("processor\t: 0\n"), "unknown processor");
  EXPECT_EQ(name(""), "unknown processor");
  const std::string longest = name("model name: a\x01" + std::string(400, 'b') + "\nmodel: 7\n");
  EXPECT_LE(longest.size(), 150);
  EXPECT_THAT(longest, testing::EndsWith("bb, model 7"));
  EXPECT_THAT(longest, testing::StartsWith("abb"));
}

TEST(FormatDuration, ReadsWell) {
  EXPECT_EQ(FormatDuration(3.2), "3 s");
  EXPECT_EQ(FormatDuration(125), "2:05");
  EXPECT_EQ(FormatDuration(3723), "1:02:03");
}

}  // namespace
}  // namespace oqat
