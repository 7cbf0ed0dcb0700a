#include "artifacts/model.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/hash.h"

namespace oqat::artifacts {
namespace {

constexpr std::int64_t kMaxArtifactBytes = std::numeric_limits<std::int64_t>::max();

ArtifactRef ReadRef(JsonReader& reader) {
  ArtifactRef ref;
  ref.sha256 = reader.String("sha256");
  if (!IsSha256Hex(ref.sha256)) {
    throw InvalidField(reader.PathOf("sha256"), "other text", "64 lower-case hex digits");
  }
  ref.size = static_cast<std::uint64_t>(reader.Int("size", 1, kMaxArtifactBytes));
  return ref;
}

Json Content(const Model& model) {
  Json checkpoints = Json::array();
  for (const CheckpointRef& ref : model.checkpoints) {
    checkpoints.push_back(
        {{"bits", ref.bits}, {"sha256", ref.file.sha256}, {"size", ref.file.size}});
  }
  return Json{{"space", space::SpaceToJson(model.space)},
              {"checkpoints", std::move(checkpoints)},
              {"evaluation_set",
               {{"sha256", model.evaluation_set.sha256}, {"size", model.evaluation_set.size}}}};
}

}  // namespace

const CheckpointRef& Model::checkpoint(int bits) const {
  std::string widths;
  for (const CheckpointRef& ref : checkpoints) {
    if (ref.bits == bits) return ref;
    widths += (widths.empty() ? "" : ", ") + std::to_string(ref.bits);
  }
  throw Error(Code::kNotFound, "bits: model " + name + " has no " + std::to_string(bits) +
                                   " bit checkpoint; allowed: " + widths);
}

std::string Model::ContentId() const { return Sha256Hex(Content(*this).dump()); }

void CheckModelName(std::string_view name, std::string_view field) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool good =
      !name.empty() && name.size() <= 63 && plain(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
  if (!good) {
    throw InvalidField(field, "\"" + std::string(name.substr(0, 80)) + "\"",
                       "1 to 63 of a-z, 0-9 and -, not beginning with -");
  }
}

Json ModelToJson(const Model& model) {
  Json json = Content(model);
  json["name"] = model.name;
  return json;
}

Model ModelFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  Model model;
  model.name = reader.String("name");
  CheckModelName(model.name, reader.PathOf("name"));
  try {
    model.space = space::SpaceFromJson(reader.Get("space"));
  } catch (const Error& error) {
    throw path.empty() ? error : WithContext(path, error);
  }
  const Json& checkpoints = reader.Get("checkpoints");
  const std::string field = reader.PathOf("checkpoints");
  if (!checkpoints.is_array() || checkpoints.empty()) {
    throw InvalidField(field, "something else", "an array of one checkpoint or more");
  }
  const std::vector<int>& choices = model.space.bits;
  for (const Json& item : checkpoints) {
    JsonReader entry(item, field + "[" + std::to_string(model.checkpoints.size()) + "]");
    CheckpointRef ref;
    ref.bits = static_cast<int>(entry.Int("bits", 1, 32));
    if (std::find(choices.begin(), choices.end(), ref.bits) == choices.end()) {
      throw InvalidField(entry.PathOf("bits"), std::to_string(ref.bits),
                         "the space's " + Json(choices).dump());
    }
    if (!model.checkpoints.empty() && ref.bits >= model.checkpoints.back().bits) {
      throw InvalidField(entry.PathOf("bits"), std::to_string(ref.bits),
                         "descending widths without duplicates");
    }
    ref.file = ReadRef(entry);
    entry.Finish();
    model.checkpoints.push_back(std::move(ref));
  }
  JsonReader set(reader.Get("evaluation_set"), reader.PathOf("evaluation_set"));
  model.evaluation_set = ReadRef(set);
  set.Finish();
  reader.Finish();
  return model;
}

}  // namespace oqat::artifacts
