#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "runtime/evaluate.h"
#include "space/cost.h"
#include "tests/workers/scratch.h"
#include "tests/workers/tiny_model.h"
#include "workers/int8_evaluator.h"

namespace oqat::workers {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct ProgramRun {
  int exit_code = -1;
  std::string output;
};

// The real program, as a user's shell runs it.
ProgramRun Shell(const std::string& arguments, const char* streams = "2>&1") {
  const std::string command =
      std::string(OQAT_BIN_DIR) + "/oqat-worker " + arguments + " " + streams;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  ProgramRun run;
  std::array<char, 4096> buffer{};
  std::size_t n = 0;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    run.output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

class EvaluateCommand : public testing::Test {
 protected:
  void SetUp() override {
    for (const int bits : {4, 2}) {
      artifacts::WriteCheckpoint(dir_ / ("b" + std::to_string(bits) + ".safetensors"),
                                 TinyCheckpoint(bits));
    }
    artifacts::WriteEvaluationSet(dir_ / "set.safetensors", TinySet());
    WriteFileAtomically(dir_ / "model.json", R"({"space":"tiny-mbv3",
        "checkpoints":{"4":"b4.safetensors","2":"b2.safetensors"},
        "evaluation_set":"set.safetensors"})");
    Json array = Json::array();
    for (const int bits : {4, 2}) {
      array.push_back(space::ArchitectureToJson(space::Largest(space_, bits)));
    }
    WriteFileAtomically(dir_ / "archs.json", array.dump());
    WriteFileAtomically(dir_ / "one.json", array[0].dump());
    WriteFileAtomically(dir_ / "three.json",
                        space::ArchitectureToJson(space::Largest(space_, 3)).dump());
  }

  void ExpectError(const std::string& arguments, int exit_code, const std::string& text) {
    const ProgramRun run = Shell("evaluate " + arguments);
    EXPECT_EQ(run.exit_code, exit_code) << arguments << "\n" << run.output;
    EXPECT_THAT(run.output, AllOf(StartsWith("oqat-worker: error: "), HasSubstr(text)))
        << arguments;
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
  }

  const space::SearchSpace& space_ = space::Preset("tiny-mbv3");
  ScratchDir dir_;
};

TEST_F(EvaluateCommand, MeasuresAFileOfArchitecturesInItsOrder) {
  const ProgramRun run =
      Shell("evaluate --model " + dir_.path() + " --arch " + (dir_ / "archs.json") +
                " --split test --images 7 --calibration 9 --json",
            "2>/dev/null");
  ASSERT_EQ(run.exit_code, 0);
  const Json array = ParseJson(run.output, "output");
  ASSERT_EQ(array.size(), 2);
  int i = 0;
  for (const int bits : {4, 2}) {
    const space::Architecture architecture = space::Largest(space_, bits);
    artifacts::EvaluationProtocol protocol;
    protocol.split = artifacts::Split::kTest;
    protocol.calibration_images = 9;
    protocol.images = 7;
    const auto expected =
        runtime::Evaluate(runtime::QuantizedSupernet(TinyCheckpoint(bits), "test"), architecture,
                          TinySet(), protocol, runtime::KernelsFor(runtime::DefaultIsa()));
    const Json& item = array[i++];
    EXPECT_EQ(item["architecture"], space::ArchitectureToJson(architecture));
    EXPECT_EQ(item["key"], space::ToKey(space_, architecture));
    EXPECT_EQ(item["metrics"]["top1"], expected.top1);
    EXPECT_EQ(item["metrics"]["loss"], expected.loss);
    EXPECT_EQ(item["metrics"]["macs"], space::CostsOf(space_, architecture).macs);
    EXPECT_EQ(item["metrics"]["bitops"], space::CostsOf(space_, architecture).bitops);
    EXPECT_EQ(item["images"], 7);
    EXPECT_GT(item["seconds"], 0);
  }
}

TEST_F(EvaluateCommand, TakesCheckpointsOneByOneAndPrintsATable) {
  const ProgramRun run = Shell(
      "evaluate --checkpoint " + (dir_ / "b4.safetensors") + " " + (dir_ / "b2.safetensors") +
          " --evaluation-set " + (dir_ / "set.safetensors") + " --arch - < " + (dir_ / "one.json"),
      "2>/dev/null");
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.output, AllOf(HasSubstr("top1 %"),
                                HasSubstr(space::ToKey(space_, space::Largest(space_, 4)))));
}

TEST_F(EvaluateCommand, SaysWhatIsWrongInOneLine) {
  const std::string model = "--model " + dir_.path(), arch = " --arch " + (dir_ / "one.json");
  const std::string checkpoint = "--checkpoint " + (dir_ / "b4.safetensors");
  ExpectError(model, 2, "--arch");
  ExpectError(arch, 2, "give --checkpoint FILE or --model DIR");
  ExpectError(checkpoint + arch, 2, "--evaluation-set: none is given");
  ExpectError(model + " --arch " + (dir_ / "three.json"), 2,
              "there is no checkpoint of 3 bits; allowed: 4, 2");
  ExpectError(model + arch + " --split train", 2, "--split: got train");
  ExpectError(model + arch + " --split calibration", 2, "allowed: search, test");
  ExpectError(model + arch + " --images 13", 2, "images: got 13");
  ExpectError(model + arch + " --images -1", 2, "--images: got -1");
  ExpectError(model + arch + " --batch-size 0", 2, "--batch-size: got 0");
  ExpectError(model + " --arch " + (dir_ / "absent.json"), 3, "absent.json");
  ExpectError("--model " + (dir_ / "absent") + arch, 3, "a model is a folder with model.json");
  ExpectError("--checkpoint " + (dir_ / "absent") + arch, 3, "absent");
  WriteFileAtomically(dir_ / "bad.json", "{\"resolution\":");
  ExpectError(model + " --arch " + (dir_ / "bad.json"), 2, "malformed JSON");
  Json gene = space::ArchitectureToJson(space::Largest(space_, 4));
  gene["kernels"][0] = 4;
  WriteFileAtomically(dir_ / "gene.json", gene.dump());
  ExpectError(model + " --arch " + (dir_ / "gene.json"), 2, "kernels[0]: got 4");
  WriteFileAtomically(dir_ / "empty.json", "[]");
  ExpectError(model + " --arch " + (dir_ / "empty.json"), 2, "an empty array");
  WriteFileAtomically(dir_ / "junk", "junk bytes, longer than eight");
  ExpectError("--checkpoint " + (dir_ / "junk") + arch, 4, "junk");
  ExpectError(model + arch + " --evaluation-set " + (dir_ / "junk"), 4, "junk");
}

TEST(WorkerProgram, RefusesBadOptions) {
  const auto complaint = [](const std::string& arguments) {
    const ProgramRun run = Shell(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.output;
    return run.output;
  };
  EXPECT_THAT(complaint(""), HasSubstr("--coordinator: is missing"));
  EXPECT_THAT(complaint("--coordinator nowhere"), HasSubstr("HOST:PORT"));
  EXPECT_THAT(complaint("--coordinator a:99999"), HasSubstr("HOST:PORT"));
  EXPECT_THAT(complaint("--coordinator a:1 --threads 0"), HasSubstr("--threads: got 0"));
  EXPECT_THAT(complaint("--coordinator a:1 --cache-mib 0"), HasSubstr("--cache-mib"));
  EXPECT_THAT(complaint("--frobnicate"), HasSubstr("--frobnicate"));
}

TEST(WorkerProgram, LivesWithoutACoordinatorAndEndsInOrder) {
  const ScratchDir dir;
  const std::string command = std::string("timeout -s TERM 2 ") + OQAT_BIN_DIR +
                              "/oqat-worker --coordinator 127.0.0.1:1 --cache " + dir.path() +
                              " 2>&1; echo code $?";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer{};
  std::size_t n = 0;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    output.append(buffer.data(), n);
  }
  ::pclose(pipe);
  // timeout(1) says 124 when it had to end the command, whatever that answered.
  EXPECT_THAT(output, HasSubstr("code 124"));
  const auto first = output.find("cannot reach coordinator");
  ASSERT_NE(first, std::string::npos) << output;
  EXPECT_EQ(output.find("cannot reach coordinator", first + 1), std::string::npos) << output;
  EXPECT_THAT(output, HasSubstr("bye"));
}

TEST_F(EvaluateCommand, MeasuresLatencyWhereItIsAskedFor) {
  const std::string common = "evaluate --model " + dir_.path() + " --arch " + (dir_ / "one.json");
  const ProgramRun run = Shell(common + " --latency --json", "2>/dev/null");
  ASSERT_EQ(run.exit_code, 0);
  const Json item = ParseJson(run.output, "output")[0];
  EXPECT_GT(item["metrics"]["latency_ms"], 0);
  EXPECT_GE(item["metrics"]["latency_spread_ms"], 0);
  EXPECT_THAT(item["cpu"].get<std::string>(), testing::Not(testing::IsEmpty()));
  EXPECT_THAT(Shell(common + " --latency", "2>/dev/null").output,
              AllOf(StartsWith("latency on "), HasSubstr("latency ms")));
}

TEST(BenchCommand, TellsSpeedsOfAnArchitectureWithoutAModel) {
  const ProgramRun run = Shell(
      "bench --space tiny-mbv3 --arch largest --bits 2 --resolution 20 --threads 2 --images 150 "
      "--calibration 20 --layers --json",
      "2>/dev/null");
  ASSERT_EQ(run.exit_code, 0);
  const Json result = ParseJson(run.output, "output");
  EXPECT_EQ(result["engine"], "int8");
  EXPECT_EQ(result["bits"], 2);
  EXPECT_EQ(result["resolution"], 20);
  EXPECT_EQ(result["threads"], 2);
  for (const char* field : {"images_per_second", "recalibration_images_per_second", "compile_ms",
                            "load_ms", "latency_ms"}) {
    EXPECT_GT(result[field], 0) << field;
  }
  std::int64_t macs = 0;
  for (const Json& layer : result["layers"]) macs += layer["macs"].get<std::int64_t>();
  EXPECT_GE(macs, result["macs"]);  // padded to whole blocks of channels
}

TEST(BenchCommand, NamesWhatItCannotDo) {
  for (const auto& [arguments, text] : {
           std::pair{"--space nowhere --arch largest", "nowhere"},
           {"--space tiny-mbv3 --arch /missing.json", "/missing.json"},
           {"--space tiny-mbv3 --arch largest --bits 5", "bits"},
           {"--space tiny-mbv3 --arch largest --engine torch", "--engine: got \"torch\""},
           {"--space tiny-mbv3 --arch largest --images 0", "--images: got 0"},
           {"--space tiny-mbv3 --arch largest --threads 0", "--threads: got 0"},
           {"--space tiny-mbv3 --arch largest --calibration -1", "--calibration: got -1"},
           {"--space tiny-mbv3 --arch largest --resolution 7", "--resolution: got 7"},
       }) {
    const ProgramRun run = Shell(std::string("bench ") + arguments);
    EXPECT_THAT(run.exit_code, testing::AnyOf(2, 3)) << arguments;
    EXPECT_THAT(run.output, AllOf(StartsWith("oqat-worker: error: "), HasSubstr(text)));
  }
}

TEST(Engine, TheOtherOneIsAProgramOfItsOwn) {
  EXPECT_THAT(Shell("--engine onnx evaluate --arch a").output, HasSubstr("--engine: got \"onnx\""));
  // Alone in its folder and with nothing in PATH there is no other program.
  ScratchDir folder;
  std::filesystem::copy_file(OQAT_BIN_DIR "/oqat-worker", folder / "oqat-worker");
  std::FILE* pipe = ::popen(
      ("PATH=/nowhere " + (folder / "oqat-worker") + " evaluate --engine torch --arch a 2>&1")
          .c_str(),
      "r");
  std::array<char, 1000> text{};
  std::fread(text.data(), 1, text.size() - 1, pipe);
  EXPECT_EQ(WEXITSTATUS(::pclose(pipe)), 3);
  EXPECT_THAT(text.data(), AllOf(HasSubstr("--engine torch: oqat-worker-torch"),
                                 HasSubstr("build or install it")));
}

}  // namespace
}  // namespace oqat::workers
