#include "supernet/train/metrics_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "tests/supernet/train/event_reader.h"

namespace oqat::supernet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class MetricsLogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/oqat_metrics_log";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A clock that goes on by a second each time it is asked.
  MetricsLog::Options Options(double start, std::uint64_t keep_bytes = 0) {
    MetricsLog::Options options;
    options.keep_bytes = keep_bytes;
    options.wall_time = [now = start]() mutable { return now++; };
    options.host = "host";
    return options;
  }
  std::string File() const { return folder_ + "/metrics.jsonl"; }
  std::vector<ReadEvent> Events(int seconds) const {
    return ReadEvents(folder_ + "/events.out.tfevents.00000" + std::to_string(seconds) + ".host");
  }
  std::string ReadFault(const std::string& text) {
    WriteFileAtomically(File(), text);
    try {
      ReadMetrics(folder_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kDataLoss);
      return std::string(error.what()).substr(File().size());
    }
    return "no fault";
  }

  std::string folder_;
};

TEST_F(MetricsLogTest, LinesAreInTheFileAtOnceAndAreReadBack) {
  MetricsLog log(folder_, Options(10000));
  const Json first = {{"kind", "train"}, {"bits", 32}, {"step", 4}, {"loss", 1.5}};
  const Json second = {{"kind", "stage"}, {"bits", 32}, {"steps", 5}};
  log.Log(first);
  EXPECT_EQ(ReadFile(File()), first.dump() + "\n");
  EXPECT_EQ(log.bytes(), ReadFile(File()).size());
  log.Log(second);
  EXPECT_THAT(ReadMetrics(folder_), ElementsAre(first, second));
}

TEST_F(MetricsLogTest, NumbersBecomeScalarsOnAStepThatGoesOnThroughTheStages) {
  MetricsLog log(folder_, Options(10000));
  log.Log({{"kind", "train"},
           {"bits", 32},
           {"step", 8},
           {"progress", 0.8},
           {"loss", 3.5},
           {"learning_rate", 0.25},
           {"steps_per_second", 12},
           {"gradient_norm", 0.5},
           {"seconds", 1}});
  log.Log(
      {{"kind", "epoch"}, {"bits", 32}, {"epoch", 1}, {"epochs", 1}, {"step", 10}, {"loss", 3}});
  log.Log({{"kind", "stage"}, {"bits", 32}, {"steps", 12}, {"sha256", "ab"}});
  log.Log({{"kind", "cut"}, {"bits", 4}, {"step", 2}, {"scale", 0.5}});
  log.Log({{"kind", "evaluation"},
           {"bits", 4},
           {"subnet", "largest"},
           {"architecture", {{"resolution", 32}}},
           {"top1", 0.75},
           {"loss", 1.25},
           {"images", 1000}});
  EXPECT_EQ(log.global_step(), 12 + 2);

  const auto events = Events(10000);
  // The file's version, the start, and three lines of which something is drawn.
  ASSERT_EQ(events.size(), 5u);
  EXPECT_TRUE(events[1].session_start);
  EXPECT_EQ(events[1].step, 1);
  EXPECT_EQ(events[2].wall_time, 10001);
  EXPECT_EQ(events[2].step, 8);
  EXPECT_THAT(events[2].scalars,
              UnorderedElementsAre(Pair("loss/train/float", 3.5f), Pair("learning_rate", 0.25f),
                                   Pair("steps_per_second", 12.f),
                                   Pair("gradient_norm/train/float", 0.5f)));
  EXPECT_EQ(events[3].step, 10);
  EXPECT_THAT(events[3].scalars, ElementsAre(Pair("loss/epoch/float", 3.f)));
  EXPECT_EQ(events[4].step, 14);
  EXPECT_THAT(events[4].scalars, UnorderedElementsAre(Pair("top1/largest/4bit", 0.75f),
                                                      Pair("loss/largest/4bit", 1.25f)));
}

TEST_F(MetricsLogTest, AResumedTrainingRepeatsNoLineAndStartsAnEventFile) {
  std::uint64_t kept = 0;
  {
    MetricsLog log(folder_, Options(10000));
    log.Log({{"kind", "train"}, {"bits", 32}, {"step", 10}, {"loss", 3}});
    log.Log({{"kind", "train"}, {"bits", 4}, {"step", 5}, {"loss", 2}});
    kept = log.bytes();
    log.Log({{"kind", "train"}, {"bits", 4}, {"step", 8}, {"loss", 1}});
  }
  const std::string before = ReadFile(File());
  MetricsLog log(folder_, Options(20000, kept));
  EXPECT_EQ(ReadFile(File()), before.substr(0, kept));
  EXPECT_EQ(log.global_step(), 15);
  log.Log({{"kind", "train"}, {"bits", 4}, {"step", 8}, {"loss", 1}});
  EXPECT_EQ(ReadFile(File()), before);
  EXPECT_EQ(log.bytes(), before.size());

  EXPECT_EQ(Events(10000).size(), 2u + 3);  // untouched
  const auto events = Events(20000);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_TRUE(events[1].session_start);
  EXPECT_EQ(events[1].step, 16);  // TensorBoard drops what the first file has from there on
  EXPECT_EQ(events[2].step, 18);
}

TEST_F(MetricsLogTest, ATrainingGoesOnWhereTheLogIsLostOrDamaged) {
  const std::string first = "{\"kind\":\"train\",\"bits\":4,\"step\":7}\n";
  const std::map<std::string, std::string> kept = {
      {"", ""},
      {first, first},                                  // shorter than it was
      {first + "{\"kind\":\"tr", first},               // cut within a line
      {first + "{\"kind\"\n", first + "{\"kind\"\n"},  // damaged, for `plot` to complain of
      {first + "{\"kind\":\"train\",\"bits\":\"x\"}\n",
       first + "{\"kind\":\"train\",\"bits\":\"x\"}\n"}};
  for (const auto& [text, rest] : kept) {
    WriteFileAtomically(File(), text);
    const MetricsLog log(folder_, Options(10000, 1000));
    EXPECT_EQ(ReadFile(File()), rest);
    EXPECT_EQ(log.bytes(), rest.size());
    EXPECT_EQ(log.global_step(), rest.empty() ? 0 : 7);
  }
  std::filesystem::remove(File());
  EXPECT_EQ(MetricsLog(folder_, Options(10000, 1000)).bytes(), 0u);
  WriteFileAtomically(File(), first);
  EXPECT_EQ(MetricsLog(folder_, Options(10000)).bytes(), 0u);  // nothing was to be kept
  EXPECT_EQ(ReadFile(File()), "");
}

TEST_F(MetricsLogTest, DamagedLinesAreNamed) {
  const std::string good = "{\"kind\":\"train\",\"bits\":4,\"step\":1,\"loss\":null}\n";
  EXPECT_EQ(ReadFault(good + good), "no fault");
  EXPECT_EQ(ReadFault(good + "{\"kind\":\"tr\n" + good), ", line 2: malformed JSON at byte 12");
  EXPECT_EQ(ReadFault(good + "\n"), ", line 2: malformed JSON at byte 1");
  EXPECT_EQ(ReadFault("[1]\n"), ", line 1: line: got [1]; allowed: a JSON object");
  EXPECT_EQ(ReadFault("{}\n"), ", line 1: kind: got nothing; allowed: a string");
  EXPECT_EQ(ReadFault("{\"kind\":3}\n"), ", line 1: kind: got 3; allowed: a string");
  EXPECT_EQ(ReadFault("{\"kind\":\"epoch\"}\n"), ", line 1: bits: got nothing; allowed: 1 to 32");
  const std::map<std::string, std::string> faults = {
      {"\"bits\":33", "bits: got 33; allowed: 1 to 32"},
      {"\"bits\":4.5", "bits: got 4.5; allowed: 1 to 32"},
      {"\"step\":-1", "step: got -1; allowed: a number from 0 to 1e15"},
      {"\"epoch\":1e300", "epoch: got 1e+300; allowed: a number from 0 to 1e15"},
      {"\"top1\":\"x\"", "top1: got \"x\"; allowed: a number or null"},
      {"\"subnet\":[]", "subnet: got []; allowed: a string"}};
  for (const auto& [field, fault] : faults) {
    EXPECT_EQ(ReadFault(good + "{\"kind\":\"evaluation\",\"bits\":4," + field + "}\n"),
              ", line 2: " + fault);
  }
}

TEST_F(MetricsLogTest, ALineThatIsStillBeingWrittenIsLeftOut) {
  WriteFileAtomically(File(), "{\"kind\":\"a\"}\n{\"kin");
  EXPECT_EQ(ReadMetrics(folder_).size(), 1u);
}

TEST_F(MetricsLogTest, AFolderWithoutATrainingIsNotFound) {
  for (const std::string& folder : {folder_, folder_ + "/none"}) {
    try {
      ReadMetrics(folder);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kNotFound);
      EXPECT_THAT(error.what(), HasSubstr("'" + folder + "' holds no training"));
    }
  }
}

TEST_F(MetricsLogTest, AFullDiskIsAnError) {
  std::filesystem::create_symlink("/dev/full", File());
  MetricsLog log(folder_, Options(10000));
  try {
    log.Log({{"kind", "train"}, {"bits", 4}, {"step", 1}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kResourceExhausted);
    EXPECT_THAT(error.what(), HasSubstr("metrics.jsonl: cannot be written: No space left"));
  }
  EXPECT_EQ(log.bytes(), 0u);
}

}  // namespace
}  // namespace oqat::supernet
