#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "artifacts/checkpoint.h"
#include "base/files.h"
#include "base/json.h"

namespace oqat {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int exit_code = -1;
  std::string output;  ///< stdout and stderr
};

Outcome OqatTrain(const std::string& arguments) {
  const std::string command = std::string(OQAT_BIN_DIR) + "/oqat-train " + arguments + " 2>&1";
  Outcome outcome;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> piece;
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe)) {
    outcome.output.append(piece.data(), n);
  }
  outcome.exit_code = WEXITSTATUS(::pclose(pipe));
  return outcome;
}

/// Expects one line that starts with the program's name and contains `what`.
void ExpectFailure(const std::string& arguments, int exit_code, const std::string& what) {
  const Outcome outcome = OqatTrain(arguments);
  EXPECT_EQ(outcome.exit_code, exit_code) << arguments << "\n" << outcome.output;
  EXPECT_THAT(outcome.output, StartsWith("oqat-train: error: ")) << arguments;
  EXPECT_THAT(outcome.output, HasSubstr(what)) << arguments;
  EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1) << outcome.output;
}

class ProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/oqat_train_program";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(ProgramTest, ErrorsAreOneLineAndAnExitCode) {
  const std::string out = " --out " + folder_ + "/run";
  ExpectFailure("", 2, "subcommand");
  ExpectFailure("run --recipe tiny", 2, "--out");
  ExpectFailure("run --recipe huge" + out, 3, "cifar10-cpu");
  ExpectFailure("run --recipe tiny --device cuda:99" + out, 2, "device: got cuda:99");
  ExpectFailure("run --recipe tiny --threads 0" + out, 2, "threads");
  ExpectFailure("run --recipe tiny --set colour=1" + out, 2, "recipe.colour");
  ExpectFailure("run --recipe tiny --set stages.0.bits=3" + out, 2, "recipe.stages[0].bits");
  ExpectFailure("run --recipe tiny --space nowhere" + out, 3, "tiny-mbv3");
  ExpectFailure("run --recipe tiny --data cifar10:" + folder_ + out, 3, "data_batch_1");
  ExpectFailure("run --recipe cifar10-cpu" + out, 2, "data");
  ExpectFailure("describe " + folder_ + "/none", 3, "none");
  ExpectFailure("import --space tiny-mbv3 --bits 40 --in a --out b", 2, "bits");
  ExpectFailure("import --space tiny-mbv3 --bits 4 --in " + folder_ + "/none --out b", 3, "none");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/run"));

  WriteFileAtomically(folder_ + "/broken", "not safetensors");
  ExpectFailure("describe " + folder_ + "/broken", 4, "broken");
}

TEST_F(ProgramTest, PlotFaultsAreOneLineAndAnExitCode) {
  ExpectFailure("plot " + folder_ + "/none", 3, "/none' holds no training");
  ExpectFailure("plot " + folder_, 3, "metrics.jsonl");
  WriteFileAtomically(folder_ + "/metrics.jsonl", "{\"kind\":\"train\",\"bits\":4}\n{\"kind\"\n");
  ExpectFailure("plot " + folder_, 4, "metrics.jsonl, line 2: malformed JSON");
  WriteFileAtomically(folder_ + "/metrics.jsonl", "{\"kind\":\"train\",\"bits\":4}\n");
  ExpectFailure("plot " + folder_ + " --bits 3", 3, "there are: 4 bit");
  ExpectFailure("plot " + folder_ + " " + folder_, 2, "out: got nothing");
  ExpectFailure("plot " + folder_ + " --panels colour", 2, "colour");
  ExpectFailure("plot " + folder_ + " --out " + folder_ + "/none/a.svg", 3, "a.svg");
  ExpectFailure("plot", 2, "DIR");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/curves.svg"));
}

TEST_F(ProgramTest, HelpDocumentsExitCodes) {
  const Outcome outcome = OqatTrain("--help");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("Exit codes"));
}

TEST_F(ProgramTest, PackedDataTrainsLikeTheOriginal) {
  const std::string file = folder_ + "/set.safetensors", data = "synthetic:train=120,test=20";
  ExpectFailure("pack --data nothing --image-size 16 --out " + file, 2, "packed:FILE");
  ExpectFailure("pack --data " + data + " --image-size 0 --out " + file, 2, "image-size");
  ExpectFailure("pack --data " + data + " --image-size 16 --out " + folder_ + "/no/file", 3, "no");
  const Outcome packed =
      OqatTrain("pack --data " + data + " --image-size 24 --quiet --out " + file);
  ASSERT_EQ(packed.exit_code, 0) << packed.output;
  EXPECT_THAT(packed.output, HasSubstr("120 training and 20 test images of 24 px, 10 classes"));

  const std::string rest =
      " --quiet --set split.search=40 --set split.test=20 --set split.calibration=16"
      " --set evaluation_random_subnets=0 --set image_size=24"
      " --set 'stages=[{\"bits\":32,\"epochs\":0.2,\"batch_size\":16},"
      "{\"bits\":4,\"epochs\":0.1,\"batch_size\":16}]' --recipe tiny --out " +
      folder_ + "/";
  ASSERT_EQ(OqatTrain("run --data packed:" + file + rest + "packed").exit_code, 0);
  ASSERT_EQ(OqatTrain("run --data " + data + rest + "original").exit_code, 0);
  const auto checkpoint = [&](const std::string& run) {
    return artifacts::ReadCheckpoint(folder_ + "/" + run + "/b4.safetensors").tensors;
  };
  EXPECT_EQ(checkpoint("packed"), checkpoint("original"));
}

TEST_F(ProgramTest, RunThenDescribeAndPlot) {
  const std::string run = folder_ + "/run";
  const Outcome trained = OqatTrain(
      "run --recipe tiny --data synthetic:train=200,test=20 --seed 7 --quiet --out " + run +
      " --set split.search=40 --set split.test=20 --set split.calibration=16"
      " --set evaluation_random_subnets=0"
      " --set 'stages=[{\"bits\":32,\"epochs\":0.2,\"batch_size\":16},"
      "{\"bits\":2,\"epochs\":0.1,\"batch_size\":16}]'");
  ASSERT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("largest"));

  const Outcome described = OqatTrain("describe " + run + "/b2.safetensors");
  ASSERT_EQ(described.exit_code, 0) << described.output;
  const Json header = ParseJson(described.output, "describe");
  EXPECT_EQ(header["bits"], 2);
  EXPECT_EQ(header["lineage"]["seed"], 7);
  EXPECT_EQ(header["space"]["name"], "tiny-mbv3");
  EXPECT_EQ(header["lineage"]["parent_sha256"],
            ParseJson(OqatTrain("describe " + run + "/float.ckpt.safetensors").output,
                      "describe")["sha256"]);

  EXPECT_EQ(OqatTrain("plot " + run + "/").output, run + "/curves.svg\n");
  const std::string svg = ReadFile(run + "/curves.svg");
  for (const char* text :
       {"Training loss of run", ">float<", ">2 bit<", ">largest<", "Learning rate of run"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  const std::string both = folder_ + "/both.svg";
  EXPECT_EQ(
      OqatTrain("plot " + run + " " + run + " --bits 2 --panels top1,loss --out " + both).exit_code,
      0);
  EXPECT_THAT(ReadFile(both), HasSubstr(run + ", largest"));
}

/// Starts the program; its output goes to `log`.
pid_t Start(const std::string& arguments, const std::string& log) {
  const std::string command =
      "exec " + std::string(OQAT_BIN_DIR) + "/oqat-train " + arguments + " >" + log + " 2>&1";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  return child;
}

/// Waits until `file` was written anew `times` times, or the program ended. False if it ended.
bool WaitForWrites(pid_t child, const std::string& file, int times, int& status) {
  ino_t seen = 0;
  for (struct stat now{}; times > 0; ::usleep(500)) {
    if (::waitpid(child, &status, WNOHANG) == child) return false;
    if (::stat(file.c_str(), &now) != 0 || now.st_ino == seen) continue;
    seen = now.st_ino;
    --times;
  }
  return true;
}

TEST_F(ProgramTest, KilledAnywhereItEndsWithTheSameBits) {
  const std::string command =
      "run --recipe tiny --data synthetic:train=200,test=20 --quiet --save-minutes 0"
      " --set split.search=40 --set split.test=20 --set split.calibration=16"
      " --set evaluation_random_subnets=0"
      " --set 'stages=[{\"bits\":32,\"epochs\":1.5,\"batch_size\":20},"
      "{\"bits\":2,\"epochs\":1.5,\"batch_size\":20}]' --out " +
      folder_;
  ASSERT_EQ(OqatTrain(command + "/whole").exit_code, 0);
  int killed = 0, status = 0;
  for (;;) {
    const pid_t child = Start(command + "/killed", folder_ + "/log");
    if (!WaitForWrites(child, folder_ + "/killed/state.safetensors", 6, status)) break;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ASSERT_LT(++killed, 30);
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << ReadFile(folder_ + "/log");
  EXPECT_GT(killed, 1);
  for (const char* file : {"/float.ckpt.safetensors", "/b2.safetensors", "/model.json"}) {
    EXPECT_EQ(ReadFile(folder_ + "/killed" + file), ReadFile(folder_ + "/whole" + file)) << file;
  }
}

TEST_F(ProgramTest, ControlCSavesAndSaysSo) {
  const std::string run = folder_ + "/run", log = folder_ + "/log";
  const pid_t child = Start(
      "run --recipe tiny --data synthetic:train=2000,test=20 --quiet --set split.search=100"
      " --set split.test=20 --out " +
          run,
      log);
  int status = 0;
  ASSERT_TRUE(WaitForWrites(child, run + "/state.safetensors", 1, status)) << ReadFile(log);
  ::kill(child, SIGINT);
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_THAT(ReadFile(log), HasSubstr("saved; the same command goes on"));
}

}  // namespace
}  // namespace oqat
