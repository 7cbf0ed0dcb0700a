#include "tests/artifacts/mutation.h"

#include "artifacts/packed_dataset.h"
#include "base/files.h"
#include "tests/artifacts/samples.h"

namespace oqat::artifacts {
namespace {

TEST(Mutation, SafeTensorsAndTheirKinds) {
  const std::string checkpoint = SerializeCheckpoint(SampleCheckpoint());
  Survives(
      checkpoint, [](const std::string& bytes) { ParseSafeTensors(bytes, "x"); }, 1);
  Survives(
      checkpoint, [](const std::string& bytes) { ParseCheckpoint(bytes, "x"); }, 2);
  Survives(
      SerializeEvaluationSet(SampleEvaluationSet()),
      [](const std::string& bytes) { ParseEvaluationSet(bytes, "x"); }, 3);
  TempFolder folder;
  const std::string path = (folder.path() / "packed").string();
  WritePackedDataset(path, SampleDataset());
  Survives(
      ReadFile(path), [](const std::string& bytes) { ParsePackedDataset(bytes, "x"); }, 16);
}

TEST(Mutation, HeadersInsideSoundFiles) {
  // The outer file stays valid, so that the damage reaches the JSON of the header.
  const auto wrapped = [](const std::string& header, std::map<std::string, Tensor> tensors) {
    SafeTensors file{{{"oqat", header}}, std::move(tensors)};
    try {
      return SerializeSafeTensors(file);
    } catch (const Error&) {  // not UTF-8: no such file can be written
      return std::string();
    }
  };
  const SafeTensors checkpoint = ParseSafeTensors(SerializeCheckpoint(SampleCheckpoint()), "x");
  const SafeTensors set = ParseSafeTensors(SerializeEvaluationSet(SampleEvaluationSet()), "x");
  Survives(
      checkpoint.metadata.at("oqat"),
      [&](const std::string& header) { ParseCheckpoint(wrapped(header, checkpoint.tensors), "x"); },
      4);
  Survives(
      set.metadata.at("oqat"),
      [&](const std::string& header) { ParseEvaluationSet(wrapped(header, set.tensors), "x"); }, 5);
}

TEST(Mutation, ModelJson) {
  Survives(
      ModelToJson(SampleModel()).dump(),
      [](const std::string& text) { ModelFromJson(ParseJson(text, "x"), "model"); }, 6);
}

}  // namespace
}  // namespace oqat::artifacts
