// `oqat` as a process, commands that need no server: output, one-line errors, exit codes.

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "space/architecture.h"
#include "space/cost.h"
#include "tests/e2e/process.h"

namespace oqat::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const char kOqat[] = OQAT_BIN_DIR "/oqat";

Outcome Oqat(std::vector<std::string> args) {
  args.insert(args.begin(), kOqat);
  return oqat::testing::Run(args);
}

void ExpectError(const Outcome& outcome, int status, const ::testing::Matcher<std::string>& says) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(StartsWith("oqat: error: "), says));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

class Cost : public ::testing::Test {
 protected:
  Outcome CostOf(const std::string& text, const std::string& space = "tiny-mbv3") {
    WriteFileAtomically(folder_ / "a.json", text);
    return Oqat({"cost", "--space", space, "--arch", folder_ / "a.json", "--json"});
  }
  ScratchFolder folder_;
  const space::SearchSpace& space_ = space::Preset("tiny-mbv3");
  const space::Architecture arch_ = space::Smallest(space_, 3);
};

TEST_F(Cost, PrintsExactlyTheFieldsInOrder) {
  const Json a = space::ArchitectureToJson(arch_);
  const Outcome outcome =
      CostOf(Json{a, space::ArchitectureToJson(space::Largest(space_, 2))}.dump());
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Json costs = ParseJson(outcome.out, "out");
  ASSERT_EQ(costs.size(), 2u);
  const space::Costs expected = space::CostsOf(space_, arch_);
  EXPECT_EQ(costs[0], (Json{{"macs", expected.macs},
                            {"macs_quantized", expected.macs_quantized},
                            {"macs_float", expected.macs_float},
                            {"params", expected.params},
                            {"params_with_steps", expected.params_with_steps},
                            {"bitops", expected.bitops},
                            {"weight_bits", expected.weight_bits},
                            {"weighted_macs", expected.weighted_macs}}));
  EXPECT_TRUE(costs[0]["weight_bits"].is_number_integer());
  EXPECT_TRUE(costs[0]["weighted_macs"].is_number_float());
  EXPECT_LT(costs[0]["macs"], costs[1]["macs"]);
}

TEST_F(Cost, OneArchitectureGivesAnArrayOfOne) {
  const std::string text = space::ArchitectureToJson(arch_).dump();
  const Json costs = ParseJson(CostOf(text).out, "out");
  EXPECT_TRUE(costs.is_array());
  EXPECT_EQ(costs.size(), 1u);
  EXPECT_EQ(CostOf("[]").out, "[]\n");
  const Outcome piped = oqat::testing::Run(
      {"/bin/sh", "-c",
       std::string(kOqat) + " cost --json --space tiny-mbv3 --arch - <" + (folder_ / "b.json")});
  EXPECT_NE(piped.status, 0);  // no b.json: the shell's complaint
  WriteFileAtomically(folder_ / "b.json", text);
  const Outcome from_stdin = oqat::testing::Run(
      {"/bin/sh", "-c",
       std::string(kOqat) + " cost --json --space tiny-mbv3 --arch - <" + (folder_ / "b.json")});
  EXPECT_EQ(ParseJson(from_stdin.out, "out"), costs);
}

TEST_F(Cost, ReadsSpacesFromFiles) {
  const Outcome shown = Oqat({"space", "show", "tiny-mbv3", "--json"});
  WriteFileAtomically(folder_ / "space.json", shown.out);
  const std::string text = space::ArchitectureToJson(arch_).dump();
  EXPECT_EQ(CostOf(text, folder_ / "space.json").out, CostOf(text).out);
  WriteFileAtomically(folder_ / "space.json", "{\"name\":\"x\"}");
  ExpectError(CostOf(text, folder_ / "space.json"), 2,
              AllOf(HasSubstr("space.json"), HasSubstr("num_classes")));
}

TEST_F(Cost, EveryBadInputIsOneLine) {
  const Json good = space::ArchitectureToJson(arch_);
  ExpectError(CostOf(good.dump(), "mobile"), 3, AllOf(HasSubstr("mobile"), HasSubstr("tiny-mbv3")));
  Json bad = good;
  bad["expands"][0] = 5;
  ExpectError(CostOf(bad.dump()), 2, AllOf(HasSubstr("expands[0]"), HasSubstr("2, 3, 4")));
  bad = good;
  bad["kernels"].push_back(3);
  ExpectError(CostOf(bad.dump()), 2, AllOf(HasSubstr("kernels"), HasSubstr("exactly 6")));
  ExpectError(CostOf("{\"resolution\":"), 2, HasSubstr("malformed JSON at byte"));
  ExpectError(Oqat({"cost", "--space", "tiny-mbv3", "--arch", folder_ / "gone.json"}), 3,
              HasSubstr("gone.json"));
  ExpectError(Oqat({"cost", "--space", "tiny-mbv3"}), 2, HasSubstr("--arch"));
}

TEST(Spaces, SampleIsSeededAndValid) {
  const std::vector<std::string> args = {"space",   "sample", "--space", "oqa-mbv3-w1.0",
                                         "--count", "20",     "--seed",  "5"};
  const Outcome outcome = Oqat(args);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, Oqat(args).out);
  EXPECT_EQ(
      space::ArchitecturesFromJson(space::Preset("oqa-mbv3-w1.0"), ParseJson(outcome.out, "out"))
          .size(),
      20u);
  EXPECT_NE(
      Oqat({"space", "sample", "--space", "oqa-mbv3-w1.0", "--count", "20", "--seed", "6"}).out,
      outcome.out);
  ExpectError(Oqat({"space", "sample", "--space", "tiny-mbv3", "--count", "-1"}), 2,
              HasSubstr("count: got -1"));
  ExpectError(Oqat({"space", "sample", "--space", "tiny-mbv3", "--seed", "-1"}), 2,
              HasSubstr("--seed"));
}

TEST(Spaces, ListAndShow) {
  EXPECT_EQ(ParseJson(Oqat({"space", "list", "--json"}).out, "out"), Json(space::PresetNames()));
  EXPECT_THAT(Oqat({"space", "list"}).out, HasSubstr("cifar10-mbv3"));
  EXPECT_THAT(Oqat({"space", "show", "tiny-mbv3"}).out, HasSubstr("h_swish"));
  ExpectError(Oqat({"space", "show", "nope"}), 3, HasSubstr("nope"));
}

TEST(EvaluationSets, BuildIsReproducible) {
  ScratchFolder folder;
  const auto build = [&](const std::string& file, const std::string& seed) {
    return Oqat({"evalset", "build", "--data", "synthetic:train=60,test=12", "--image-size", "12",
                 "--calibration", "8", "--search", "16", "--seed", seed, "--out", folder / file,
                 "--json"});
  };
  const Outcome first = build("a", "1");
  ASSERT_EQ(first.status, 0) << first.err;
  build("b", "1");
  build("c", "2");
  EXPECT_EQ(ReadFile(folder / "a"), ReadFile(folder / "b"));
  EXPECT_NE(ReadFile(folder / "a"), ReadFile(folder / "c"));
  Json shown = ParseJson(Oqat({"evalset", "show", folder / "a", "--json"}).out, "out");
  EXPECT_EQ(shown, ParseJson(first.out, "out"));
  EXPECT_EQ(shown["search"], 16);
  EXPECT_EQ(shown["test"], 12);
  EXPECT_THAT(Oqat({"evalset", "show", folder / "a"}).out, HasSubstr("16 images"));
}

TEST(EvaluationSets, BadInputLeavesNothing) {
  ScratchFolder folder;
  const auto build = [&](const std::string& data, const std::string& search) {
    return Oqat({"evalset", "build", "--data", data, "--search", search, "--out", folder / "o"});
  };
  EXPECT_EQ(build("tape:x", "5").status, 2);
  EXPECT_EQ(build("cifar10:" + (folder / "gone"), "5").status, 3);
  EXPECT_EQ(build("synthetic:train=60,test=12", "60").status, 2);
  ExpectError(build("synthetic:train=60,test=12", "0"), 2, HasSubstr("search: got 0"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  WriteFileAtomically(folder / "broken", "no safetensors at all");
  ExpectError(Oqat({"evalset", "show", folder / "broken"}), 4, HasSubstr("broken"));
  ExpectError(Oqat({"evalset", "show", folder / "gone"}), 3, HasSubstr("gone"));
}

TEST(Usage, HelpVersionAndMistakes) {
  const Outcome version = Oqat({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, StartsWith("oqat "));
  const Outcome help = Oqat({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("Exit codes"), HasSubstr("5 server unreachable")));
  EXPECT_EQ(Oqat({"search", "create", "--help"}).status, 0);
  ExpectError(Oqat({}), 2, HasSubstr("subcommand"));
  ExpectError(Oqat({"frob"}), 2, AllOf(HasSubstr("frob"), HasSubstr("evalset")));
  ExpectError(Oqat({"search", "frob"}), 2, AllOf(HasSubstr("frob"), HasSubstr("watch")));
  ExpectError(Oqat({"search", "list", "--frob"}), 2, HasSubstr("--frob"));
}

TEST(Usage, AnUnreachableServerSaysWhatToDo) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"search", "list"},
        {"search", "watch", "s"},
        {"front", "s"},
        {"model", "delete", "m"},
        {"search", "create", "--model", "m", "--evaluations", "4"}}) {
    std::vector<std::string> args = command;
    args.insert(args.end(), {"--server", "127.0.0.1:1"});
    ExpectError(Oqat(args), 5, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("start oqat-server")));
  }
  ExpectError(Oqat({"--server", "nowhere", "search", "list"}), 2, HasSubstr("HOST:PORT"));
}

TEST(Usage, EvaluateHandsOverToTheWorker) {
  // A folder with a link to this binary and a script as its oqat-worker.
  ScratchFolder folder;
  std::filesystem::copy_file(kOqat, folder / "oqat");
  WriteFileAtomically(folder / "oqat-worker", "#!/bin/sh\nprintf '%s|' \"$@\"\nexit 7\n");
  std::filesystem::permissions(folder / "oqat-worker", std::filesystem::perms::owner_all);
  const Outcome outcome = oqat::testing::Run({folder / "oqat", "evaluate", "--model", "m", "--arch",
                                              "a b", "--json", "--split=test", "--help"});
  EXPECT_EQ(outcome.status, 7);
  EXPECT_EQ(outcome.out, "evaluate|--model-dir|m|--arch|a b|--json|--split=test|--help|");
  EXPECT_EQ(oqat::testing::Run({folder / "oqat", "bench", "evaluate", "--space", "s"}).out,
            "bench|--space|s|");
  std::filesystem::remove(folder / "oqat-worker");
  const Outcome missing =
      oqat::testing::Run({folder / "oqat", "evaluate", "--model", "m"}, {{"PATH", "/nowhere"}});
  ExpectError(missing, 3, HasSubstr("oqat-worker"));
}

}  // namespace
}  // namespace oqat::testing
