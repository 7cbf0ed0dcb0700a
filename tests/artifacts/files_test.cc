#include <gmock/gmock.h>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "artifacts/model.h"
#include "base/files.h"
#include "base/hash.h"
#include "tests/artifacts/samples.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// The sample's file with its JSON header changed by `change`.
template <typename Change>
std::string Rewritten(const std::string& bytes, Change change) {
  SafeTensors file = ParseSafeTensors(bytes, "x");
  Json header = Json::parse(file.metadata.at("oqat"));
  change(header, file);
  file.metadata["oqat"] = header.dump();
  return SerializeSafeTensors(file);
}

template <typename Change>
std::string CheckpointComplaint(Change change) {
  const std::string bytes = Rewritten(SerializeCheckpoint(SampleCheckpoint()),
                                      [&](Json& header, SafeTensors&) { change(header); });
  return ThrownBy([&] { ParseCheckpoint(bytes, "c.st"); });
}

TEST(Checkpoint, ComesBackAndIsNamedByItsHash) {
  TempFolder folder;
  const std::string path = (folder.path() / "c.safetensors").string();
  const Checkpoint checkpoint = SampleCheckpoint();
  const std::string sha = WriteCheckpoint(path, checkpoint);
  EXPECT_EQ(sha, Sha256HexOfFile(path));
  const Checkpoint back = ReadCheckpoint(path);
  EXPECT_EQ(back.space, checkpoint.space);
  EXPECT_EQ(back.bits, 4);
  EXPECT_EQ(back.activation_range, ActivationRange::kAuto);
  EXPECT_EQ(back.normalization, checkpoint.normalization);
  EXPECT_EQ(back.lineage, checkpoint.lineage);
  EXPECT_EQ(back.tensors, checkpoint.tensors);
  EXPECT_EQ(SerializeCheckpoint(back), ReadFile(path));
}

TEST(Checkpoint, HeaderFaultsNameFileAndField) {
  const auto expect = [](const std::string& complaint, const std::string& part) {
    EXPECT_THAT(complaint, AllOf(StartsWith("INVALID_ARGUMENT: c.st: header"), HasSubstr(part)));
  };
  expect(CheckpointComplaint([](Json& h) { h["format"] = "other"; }), "header.format: got");
  expect(CheckpointComplaint([](Json& h) { h = Json::array(); }), "header: got []");
  expect(CheckpointComplaint([](Json& h) { h["bits"] = 9; }), "header.bits: got 9");
  expect(CheckpointComplaint([](Json& h) { h["bits"] = "4"; }), "header.bits");
  expect(CheckpointComplaint([](Json& h) { h.erase("bits"); }), "header.bits: is missing");
  expect(CheckpointComplaint([](Json& h) { h["extra"] = 1; }), "header.extra");
  expect(CheckpointComplaint([](Json& h) { h["space"]["stages"] = 1; }), "header: space.stages: ");
  expect(CheckpointComplaint([](Json& h) { h["activation_range"] = "wide"; }),
         "activation_range: got wide; allowed: unsigned, auto");
  expect(CheckpointComplaint([](Json& h) { h["normalization"]["std"][1] = 0; }),
         "normalization.std[1]: got 0");
  expect(CheckpointComplaint([](Json& h) {
           h["normalization"]["mean"] = {1, 2};
         }),
         "normalization.mean");
  expect(CheckpointComplaint([](Json& h) { h["lineage"]["parent_sha256"] = "abc"; }),
         "lineage.parent_sha256");
  expect(CheckpointComplaint([](Json& h) { h["lineage"]["seed"] = -1; }), "lineage.seed");
  expect(CheckpointComplaint([](Json& h) { h["lineage"]["recipe"] = 1; }), "lineage.recipe");
}

TEST(Checkpoint, OtherSafetensorsAreNotCheckpoints) {
  EXPECT_THAT(ThrownBy([] { ParseCheckpoint(SerializeSafeTensors({}), "c.st"); }),
              StartsWith("INVALID_ARGUMENT: c.st: __metadata__.oqat: is missing"));
  SafeTensors file;
  file.metadata["oqat"] = std::string(100'000, '[');
  EXPECT_THAT(ThrownBy([&] { ParseCheckpoint(SerializeSafeTensors(file), "c.st"); }),
              HasSubstr("c.st: header: got a depth of 100000"));
  file.metadata["oqat"] = "{\"format\":";
  EXPECT_THAT(ThrownBy([&] { ParseCheckpoint(SerializeSafeTensors(file), "c.st"); }),
              HasSubstr("c.st: header: malformed JSON"));
  EXPECT_THAT(ThrownBy([&] { ParseCheckpoint("", "c.st"); }), StartsWith("DATA_LOSS: c.st"));
  Checkpoint checkpoint = SampleCheckpoint();
  checkpoint.bits = 16;
  EXPECT_THAT(ThrownBy([&] { SerializeCheckpoint(checkpoint); }), HasSubstr("bits: got 16"));
}

TEST(EvaluationSet, ComesBackAndIsNamedByItsHash) {
  TempFolder folder;
  const std::string path = (folder.path() / "e.safetensors").string();
  const EvaluationSet set = SampleEvaluationSet();
  const std::string sha = WriteEvaluationSet(path, set);
  EXPECT_EQ(sha, Sha256HexOfFile(path));
  const EvaluationSet back = ReadEvaluationSet(path);
  EXPECT_EQ(back.source, set.source);
  EXPECT_EQ(back.class_names, set.class_names);
  EXPECT_EQ(back.image_size, 4);
  for (Split split : {Split::kCalibration, Split::kSearch, Split::kTest}) {
    EXPECT_EQ(back.split(split), set.split(split));
    EXPECT_EQ(SplitFromName(SplitName(split), "split"), split);
  }
  EXPECT_THAT(ThrownBy([] { SplitFromName("train", "split"); }),
              HasSubstr("split: got train; allowed: calibration, search, test"));
}

TEST(EvaluationSet, FaultsNameFileAndField) {
  const auto complaint = [](auto change) {
    const std::string bytes = Rewritten(SerializeEvaluationSet(SampleEvaluationSet()), change);
    return ThrownBy([&] { ParseEvaluationSet(bytes, "e.st"); });
  };
  const auto expect = [](const std::string& complaint, const std::string& part) {
    EXPECT_THAT(complaint, AllOf(StartsWith("INVALID_ARGUMENT: e.st: "), HasSubstr(part)));
  };
  expect(complaint([](Json& h, SafeTensors&) { h["image_size"] = 5; }), "calibration.images.shape");
  expect(complaint([](Json& h, SafeTensors&) { h["image_size"] = 0; }), "header.image_size: got 0");
  expect(complaint([](Json& h, SafeTensors&) { h["class_names"] = {"a"}; }),
         "calibration.labels[1]: got 1; allowed: 0 to 0");
  expect(complaint([](Json& h, SafeTensors&) { h["class_names"] = Json::array(); }),
         "header.class_names: got 0 names");
  expect(complaint([](Json& h, SafeTensors&) { h["class_names"][1] = 7; }), "class_names[1]");
  expect(complaint([](Json& h, SafeTensors&) { h["class_names"] = 7; }), "header.class_names");
  expect(complaint([](Json&, SafeTensors& f) { f.tensors.erase("search.labels"); }),
         "search.labels: is missing");
  expect(complaint([](Json&, SafeTensors& f) {
           f.tensors["x"] = Tensor{DType::kU8, {0}, {}};
         }),
         "tensors: got \"x\"");
  expect(complaint([](Json&, SafeTensors& f) {
           f.tensors["test.images"] = Tensor{DType::kU8, {0, 4, 4, 3}, {}};
           f.tensors["test.labels"] = Tensor{DType::kI32, {0}, {}};
         }),
         "test.labels: got no images");
  expect(complaint([](Json&, SafeTensors& f) {
           f.tensors["test.labels"].shape = {2, 1};
         }),
         "test.labels.shape: got [2,1]");
  expect(complaint([](Json&, SafeTensors& f) {
           f.tensors["test.labels"] = Tensor{DType::kU8, {0}, {}};
         }),
         "test.labels.dtype: got U8; allowed: I32");
  expect(complaint(
             [](Json&, SafeTensors& f) { f.tensors["search.labels"].bytes[3] = std::byte{0x80}; }),
         "search.labels[0]: got -2147483648");
  EvaluationSet set = SampleEvaluationSet();
  set.test.labels[0] = 2;
  EXPECT_THAT(ThrownBy([&] { SerializeEvaluationSet(set); }), HasSubstr("test.labels[0]: got 2"));
}

TEST(Model, JsonComesBackAndTheIdLeavesOutTheName) {
  Model model = SampleModel();
  const Json json = ModelToJson(model);
  const Model back = ModelFromJson(json, "model");
  EXPECT_EQ(ModelToJson(back), json);
  EXPECT_TRUE(IsSha256Hex(model.ContentId()));
  EXPECT_EQ(back.ContentId(), model.ContentId());
  model.name = "other";
  EXPECT_EQ(back.ContentId(), model.ContentId());
  model.evaluation_set.size = 8;
  EXPECT_NE(back.ContentId(), model.ContentId());
  EXPECT_EQ(model.checkpoint(3).file.size, 3u);
  EXPECT_THAT(ThrownBy([&] { model.checkpoint(8); }),
              AllOf(StartsWith("NOT_FOUND: bits"), HasSubstr("allowed: 4, 3")));
}

TEST(Model, FaultsNameTheField) {
  const auto complaint = [](auto change) {
    Json json = ModelToJson(SampleModel());
    change(json);
    return ThrownBy([&] { ModelFromJson(json, "model"); });
  };
  EXPECT_THAT(complaint([](Json& j) { j["name"] = "Tiny"; }), HasSubstr("model.name: got \"Tiny"));
  EXPECT_THAT(complaint([](Json& j) { j["checkpoints"] = Json::array(); }),
              HasSubstr("model.checkpoints"));
  EXPECT_THAT(complaint([](Json& j) { j["checkpoints"][1]["bits"] = 4; }),
              HasSubstr("model.checkpoints[1].bits: got 4; allowed: descending"));
  EXPECT_THAT(complaint([](Json& j) { j["checkpoints"][0]["bits"] = 7; }),
              HasSubstr("model.checkpoints[0].bits: got 7; allowed: the space's [4,3,2]"));
  EXPECT_THAT(complaint([](Json& j) { j["checkpoints"][0]["sha256"] = "../x"; }),
              HasSubstr("model.checkpoints[0].sha256"));
  EXPECT_THAT(complaint([](Json& j) { j["evaluation_set"]["size"] = 0; }),
              HasSubstr("model.evaluation_set.size: got 0"));
  EXPECT_THAT(complaint([](Json& j) { j["evaluation_set"]["x"] = 0; }),
              HasSubstr("model.evaluation_set.x"));
  EXPECT_THAT(complaint([](Json& j) { j["space"].erase("stages"); }), HasSubstr("model: space.stages: "));
  EXPECT_THAT(complaint([](Json& j) { j = 3; }), HasSubstr("model: got 3"));
}

TEST(Model, NamesAreSafeEverywhere) {
  for (const char* good : {"a", "tiny-2", "0"}) CheckModelName(good, "name");
  for (const std::string& bad :
       {std::string(), std::string("-a"), std::string("a/b"), std::string("a_b"),
        std::string(64, 'a'), std::string("\xc3\xa9")}) {
    EXPECT_THAT(ThrownBy([&] { CheckModelName(bad, "name"); }), HasSubstr("name: got")) << bad;
  }
}

}  // namespace
}  // namespace oqat::artifacts
