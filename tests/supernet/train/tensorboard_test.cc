#include "supernet/train/tensorboard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/files.h"
#include "tests/supernet/train/event_reader.h"

namespace oqat::supernet {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::Pair;

class EventFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/oqat_event_file";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

// Known answers: RFC 3720, B.4, and the check value of the CRC catalogue.
TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(Crc32c(rising), 0x46DD794Eu);
}

TEST_F(EventFileTest, FirstRecordIsByteForByteWhatTensorFlowWrites) {
  const EventFile file(folder_, 1.5, "host");
  // Length 24; wall_time = 1.5 in field 1; file_version = "brain.Event:2" in field 3.
  std::string event("\x09\x00\x00\x00\x00\x00\x00\xF8\x3F\x1A\x0D", 11);
  event += "brain.Event:2";
  const std::string bytes = ReadFile(file.path());
  ASSERT_EQ(bytes.size(), 8 + 4 + 24 + 4u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(12, 24), event);
  // What every event file of TensorFlow begins with: the length 24 and its masked checksum.
  EXPECT_EQ(bytes.substr(8, 4), "\xA3\x7F\x4B\x22");
}

TEST_F(EventFileTest, WhatIsWrittenIsReadBack) {
  EventFile file(folder_, 1700000000.25, "host.example");
  EXPECT_THAT(file.path(), EndsWith("/events.out.tfevents.1700000000.host.example"));
  const std::string long_tag(300, 't');  // a length of two bytes
  file.Scalars(1700000001.5, 3, {{"loss/train/4bit", 2.25}, {long_tag, -1e-3}});
  file.Scalars(1700000002.5, std::int64_t{1} << 40,
               {{"x", std::numeric_limits<double>::quiet_NaN()}});
  file.Restart(1700000003.5, 200);

  const auto events = ReadEvents(file.path());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_EQ(events[0].wall_time, 1700000000.25);
  EXPECT_EQ(events[1].wall_time, 1700000001.5);
  EXPECT_EQ(events[1].step, 3);
  EXPECT_THAT(events[1].scalars,
              ElementsAre(Pair("loss/train/4bit", 2.25f), Pair(long_tag, -1e-3f)));
  EXPECT_EQ(events[2].step, std::int64_t{1} << 40);
  EXPECT_TRUE(std::isnan(events[2].scalars.at(0).second));
  EXPECT_TRUE(events[3].session_start);
  EXPECT_EQ(events[3].step, 200);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(events[i].session_start);
}

TEST_F(EventFileTest, AStartInTheSameSecondTakesAnotherFile) {
  EventFile first(folder_, 12.0, "host");
  first.Scalars(12.5, 1, {{"a", 1}});
  EventFile second(folder_, 12.9, "host");
  EXPECT_THAT(first.path(), EndsWith("/events.out.tfevents.0000000012.host"));
  EXPECT_EQ(second.path(), first.path() + ".1");
  EXPECT_EQ(ReadEvents(first.path()).size(), 2u);
  EXPECT_EQ(ReadEvents(second.path()).size(), 1u);
}

TEST_F(EventFileTest, FaultsAreErrors) {
  try {
    EventFile file(folder_ + "/none", 1, "host");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPermissionDenied);
    EXPECT_THAT(error.what(), testing::HasSubstr("/none/events.out.tfevents"));
  }
}

}  // namespace
}  // namespace oqat::supernet
