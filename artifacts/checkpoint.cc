#include "artifacts/checkpoint.h"

#include "artifacts/json_header.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"

namespace oqat::artifacts {
namespace {

constexpr std::string_view kFormat = "oqat-checkpoint-1";

std::array<double, 3> ReadTriple(JsonReader& reader, const std::string& field, double low,
                                 double high) {
  const Json& value = reader.Get(field);
  if (!value.is_array() || value.size() != 3) {
    throw InvalidField(reader.PathOf(field), "something else", "an array of three numbers");
  }
  std::array<double, 3> triple{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double number = value[i].is_number() ? value[i].get<double>() : high + 1;
    if (!(number >= low && number <= high)) {
      throw InvalidField(reader.PathOf(field) + "[" + std::to_string(i) + "]",
                         value[i].is_number() ? value[i].dump() : "not a number",
                         "a number from " + Json(low).dump() + " to " + Json(high).dump());
    }
    triple[i] = number;
  }
  return triple;
}

Normalization ReadNormalization(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  Normalization normalization;
  normalization.mean = ReadTriple(reader, "mean", -1000, 1000);
  normalization.std = ReadTriple(reader, "std", 1e-6, 1000);
  reader.Finish();
  return normalization;
}

Lineage ReadLineage(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  Lineage lineage;
  lineage.parent_sha256 = reader.String("parent_sha256");
  if (!lineage.parent_sha256.empty() && !IsSha256Hex(lineage.parent_sha256)) {
    throw InvalidField(reader.PathOf("parent_sha256"), "other text",
                       "64 lower-case hex digits, or empty");
  }
  lineage.recipe = reader.Get("recipe");
  if (!lineage.recipe.is_object()) {
    throw InvalidField(reader.PathOf("recipe"), "something else", "an object {...}");
  }
  const Json& seed = reader.Get("seed");
  if (!seed.is_number_unsigned()) {
    throw InvalidField(reader.PathOf("seed"), "something else", "an integer from 0 to 2^64-1");
  }
  lineage.seed = seed.get<std::uint64_t>();
  reader.Finish();
  return lineage;
}

void CheckBits(std::int64_t bits, std::string_view field) {
  if ((bits < 1 || bits > 8) && bits != 32) {
    throw InvalidField(field, std::to_string(bits), "1 to 8, or 32 for float");
  }
}

}  // namespace

std::string_view ActivationRangeName(ActivationRange range) {
  return range == ActivationRange::kUnsigned ? "unsigned" : "auto";
}

ActivationRange ActivationRangeFromName(std::string_view name, std::string_view field) {
  if (name == "unsigned") return ActivationRange::kUnsigned;
  if (name == "auto") return ActivationRange::kAuto;
  throw InvalidField(field, name, "unsigned, auto");
}

Checkpoint ParseCheckpoint(std::string_view bytes, std::string_view where) {
  SafeTensors file = ParseSafeTensors(bytes, where);
  const Json header = ParseHeader(file, kFormat, where);
  JsonReader reader(header, std::string(where) + ": header");
  Checkpoint checkpoint;
  reader.String("format");
  try {
    checkpoint.space = space::SpaceFromJson(reader.Get("space"));
  } catch (const Error& error) {
    throw WithContext(std::string(where) + ": header", error);
  }
  checkpoint.bits = static_cast<int>(reader.Int("bits", 1, 32));
  CheckBits(checkpoint.bits, reader.PathOf("bits"));
  checkpoint.activation_range =
      ActivationRangeFromName(reader.String("activation_range"), reader.PathOf("activation_range"));
  checkpoint.normalization =
      ReadNormalization(reader.Get("normalization"), reader.PathOf("normalization"));
  checkpoint.lineage = ReadLineage(reader.Get("lineage"), reader.PathOf("lineage"));
  reader.Finish();
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

Checkpoint ReadCheckpoint(const std::string& path) { return ParseCheckpoint(ReadFile(path), path); }

std::string SerializeCheckpoint(const Checkpoint& checkpoint) {
  CheckBits(checkpoint.bits, "bits");
  const Json header{
      {"format", kFormat},
      {"space", space::SpaceToJson(checkpoint.space)},
      {"bits", checkpoint.bits},
      {"activation_range", ActivationRangeName(checkpoint.activation_range)},
      {"normalization",
       {{"mean", checkpoint.normalization.mean}, {"std", checkpoint.normalization.std}}},
      {"lineage",
       {{"parent_sha256", checkpoint.lineage.parent_sha256},
        {"recipe", checkpoint.lineage.recipe},
        {"seed", checkpoint.lineage.seed}}}};
  SafeTensors file;
  file.metadata["oqat"] = HeaderText(header);
  file.tensors = checkpoint.tensors;
  return SerializeSafeTensors(file);
}

std::string WriteCheckpoint(const std::string& path, const Checkpoint& checkpoint) {
  const std::string bytes = SerializeCheckpoint(checkpoint);
  WriteFileAtomically(path, bytes);
  return Sha256Hex(bytes);
}

}  // namespace oqat::artifacts
