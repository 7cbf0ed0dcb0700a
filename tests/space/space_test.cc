#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "base/files.h"
#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::space {
namespace {

using ::testing::HasSubstr;

std::string MessageOf(const std::function<void()>& action,
                      Code expected = Code::kInvalidArgument) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(CodeName(error.code()), CodeName(expected)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

TEST(SearchSpace, TheReleasedSpaceIsExact) {
  const SearchSpace& space = Preset("oqa-mbv3-w1.0");
  std::vector<int> widths, strides;
  for (const Stage& stage : space.stages) {
    widths.push_back(stage.width);
    strides.push_back(stage.stride);
  }
  EXPECT_EQ(widths, (std::vector<int>{24, 40, 80, 112, 160}));
  EXPECT_EQ(strides, (std::vector<int>{2, 2, 2, 1, 2}));
  EXPECT_EQ(space.resolutions.size(), 25u);
  EXPECT_EQ(space.num_blocks(), 20);
}

TEST(SearchSpace, WidthsScaleAsOnceForAllDoes) {
  const SearchSpace space = OqaSpace(0.25, 10, {3, 5, 7}, {3, 4, 6}, {2, 3, 4});
  std::vector<int> widths{space.first_block_width};
  for (const Stage& stage : space.stages) widths.push_back(stage.width);
  EXPECT_EQ(widths, (std::vector<int>{8, 8, 16, 24, 32, 40}));
  EXPECT_EQ(space.final_expand_width, 240);
  EXPECT_EQ(space.feature_mix_width, 320);
}

TEST(SearchSpace, JsonGoesThereAndBack) {
  for (const std::string& name : PresetNames()) {
    EXPECT_EQ(SpaceFromJson(SpaceToJson(Preset(name))), Preset(name));
  }
}

TEST(SearchSpace, LoadsPresetsAndFiles) {
  EXPECT_EQ(LoadSpace("tiny-mbv3").name, "tiny-mbv3");
  const std::string path = ::testing::TempDir() + "space_" + std::to_string(::getpid()) + ".json";
  Json json = SpaceToJson(Preset("tiny-mbv3"));
  json["name"] = "mine";
  WriteFileAtomically(path, json.dump());
  EXPECT_EQ(LoadSpace(path).name, "mine");
  json["kernels"] = {3, 4};
  WriteFileAtomically(path, json.dump());
  EXPECT_EQ(MessageOf([&] { LoadSpace(path); }),
            path + ": space.kernels: got [3,4]; allowed: at least one value, distinct, ascending, odd");
  WriteFileAtomically(path, "{");
  EXPECT_THAT(MessageOf([&] { LoadSpace(path); }), HasSubstr("malformed JSON"));
  std::filesystem::remove(path);
  EXPECT_THAT(MessageOf([] { LoadSpace("resnet"); }, Code::kNotFound),
              HasSubstr("got \"resnet\"; allowed: a JSON file that exists, or one of cifar10-mbv3"));
}

TEST(SearchSpace, EveryFieldIsChecked) {
  const Json good = SpaceToJson(Preset("tiny-mbv3"));
  const std::vector<std::pair<Json::json_pointer, Json>> breakages = {
      {"/name"_json_pointer, ""},          {"/num_classes"_json_pointer, 1},
      {"/stem_width"_json_pointer, 0},     {"/stem_stride"_json_pointer, 3},
      {"/stages"_json_pointer, Json::array()}, {"/stages/1/width"_json_pointer, "wide"},
      {"/stages/0/activation"_json_pointer, "gelu"},
      {"/bits"_json_pointer, {2, 3, 4}},   {"/bits"_json_pointer, {9}},
      {"/depths"_json_pointer, {1, 1}},    {"/expands"_json_pointer, Json::array()},
      {"/resolutions"_json_pointer, {4}},  {"/colour"_json_pointer, 1},
      {"/stages/0/colour"_json_pointer, 1}};
  for (const auto& [where, value] : breakages) {
    Json bad = good;
    bad[where] = value;
    const std::string field = where.back();
    EXPECT_THAT(MessageOf([&] { SpaceFromJson(bad); }), HasSubstr(field));
  }
  for (const auto& [field, value] : good.items()) {
    if (field == "input_channels") continue;  // has a default
    Json bad = good;
    bad.erase(field);
    EXPECT_EQ(MessageOf([&] { SpaceFromJson(bad); }),
              "space." + field + ": is missing; it is required");
  }
}

TEST(Architecture, EqualSubnetsCompareEqual) {
  const SearchSpace& space = Preset("tiny-mbv3");
  Architecture a = Largest(space, 4);
  a.depths = {1, 2, 1};
  Architecture b = a;
  a.kernels[1] = 3;
  b.kernels[1] = 5;
  b.expands[5] = 2;
  EXPECT_EQ(Canonical(space, a), Canonical(space, b));
  b.kernels[2] = 3;
  EXPECT_NE(Canonical(space, a), Canonical(space, b));
}

TEST(Architecture, KeysAreOneToOne) {
  for (const std::string& name : PresetNames()) {
    const SearchSpace& space = Preset(name);
    RandomStream random(1, "keys");
    std::set<std::string> keys;
    std::set<Architecture> architectures;
    for (int i = 0; i < 500; ++i) {
      const Architecture a = SampleUniform(space, random);
      keys.insert(ToKey(space, a));
      architectures.insert(a);
      EXPECT_EQ(FromKey(space, ToKey(space, a)), a);
      EXPECT_EQ(ArchitectureFromJson(space, ArchitectureToJson(a)), a);
    }
    EXPECT_EQ(keys.size(), architectures.size());
  }
  EXPECT_EQ(ToKey(Preset("tiny-mbv3"), Smallest(Preset("tiny-mbv3"), 2)),
            "r16-b2-k3e2-k3e2-k3e2");
}

TEST(Architecture, BadKeysAreRefused) {
  const SearchSpace& space = Preset("tiny-mbv3");
  for (const char* key :
       {"", "r16", "r16-b2", "r16-b2-k3e2-k3e2", "r16-b2-k3e2-k3e2-k3e2-k3e2", "r16-b2-k3e2-k3e2-k3",
        "r16-b2-k3e2-k3e2-k3e2x", "r16-b2-k3e2.k3e2.k3e2-k3e2-k3e2", "r17-b2-k3e2-k3e2-k3e2",
        "r16-b2-k0e2-k3e2-k3e2", "r99999999999999-b2-k3e2-k3e2-k3e2", "r16-b2--k3e2-k3e2"}) {
    MessageOf([&] { FromKey(space, key); });
  }
}

TEST(Architecture, EveryBadGeneIsNamed) {
  const SearchSpace& space = Preset("tiny-mbv3");
  const Json good = ArchitectureToJson(Largest(space, 4));
  const auto broken = [&](const char* where, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(where)] = value;
    return MessageOf([&] { ArchitectureFromJson(space, bad); });
  };
  EXPECT_EQ(broken("/kernels/3", 7), "architecture.kernels[3]: got 7; allowed: 3, 5");
  EXPECT_EQ(broken("/expands/0", 0), "architecture.expands[0]: got 0; allowed: 2, 3, 4");
  EXPECT_EQ(broken("/depths/2", 3), "architecture.depths[2]: got 3; allowed: 1, 2");
  EXPECT_EQ(broken("/resolution", 32), "architecture.resolution: got 32; allowed: 16, 20, 24");
  EXPECT_EQ(broken("/bits", 8), "architecture.bits: got 8; allowed: 4, 3, 2");
  EXPECT_EQ(broken("/depths", {1, 2}),
            "architecture.depths: got 2 entries; allowed: exactly 3 entries");
  EXPECT_THAT(broken("/kernels", "many"), HasSubstr("architecture.kernels: got \"many\""));
  EXPECT_THAT(broken("/colour", 1), HasSubstr("architecture.colour: got an unknown field"));
  EXPECT_THAT(MessageOf([&] { ArchitecturesFromJson(space, Json::array({good, 5})); }),
              HasSubstr("[1]: got 5"));
}

TEST(SampleUniform, DrawsEveryChoiceAndIsSeeded) {
  const SearchSpace& space = Preset("cifar10-mbv3");
  RandomStream one(9, "x"), two(9, "x");
  std::map<int, int> bits, resolutions, depths;
  for (int i = 0; i < 3000; ++i) {
    const Architecture a = SampleUniform(space, one);
    EXPECT_EQ(a, SampleUniform(space, two));
    ++bits[a.bits];
    ++resolutions[a.resolution];
    ++depths[a.depths[1]];
  }
  for (const auto& counts : {bits, resolutions, depths}) {
    EXPECT_EQ(counts.size(), 3u);
    for (const auto& [choice, count] : counts) EXPECT_NEAR(count, 1000, 130) << choice;
  }
}

}  // namespace
}  // namespace oqat::space
