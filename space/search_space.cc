#include "space/search_space.h"

#include <algorithm>
#include <filesystem>

#include "base/files.h"

namespace oqat::space {
namespace {

constexpr int kMaxWidth = 65536;
constexpr int kMaxStages = 32;

std::string Listed(const std::vector<int>& values) {
  std::string text = "[";
  for (int value : values) text += (text.size() > 1 ? "," : "") + std::to_string(value);
  return text + "]";
}

std::vector<int> Choices(JsonReader& reader, const std::string& field, int low, int high,
                         bool ascending, bool odd = false) {
  std::vector<int> list = reader.IntList(field, low, high);
  std::vector<int> sorted = list;
  if (ascending) {
    std::sort(sorted.begin(), sorted.end());
  } else {
    std::sort(sorted.rbegin(), sorted.rend());
  }
  const bool distinct = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  const bool parity = !odd || std::all_of(list.begin(), list.end(), [](int k) { return k % 2; });
  if (list.empty() || list != sorted || !distinct || !parity) {
    throw InvalidField(reader.PathOf(field), Listed(list),
                       std::string("at least one value, distinct, ") +
                           (ascending ? "ascending" : "descending") + (odd ? ", odd" : ""));
  }
  return list;
}

Activation ActivationFrom(JsonReader& reader, const std::string& field) {
  const std::string name = reader.String(field);
  if (name == "relu") return Activation::kRelu;
  if (name == "h_swish") return Activation::kHSwish;
  throw InvalidField(reader.PathOf(field), "\"" + name + "\"", "\"relu\", \"h_swish\"");
}

const char* NameOf(Activation activation) {
  return activation == Activation::kRelu ? "relu" : "h_swish";
}

}  // namespace

int MakeDivisible(double value) {
  int rounded = std::max(8, static_cast<int>(value + 4) / 8 * 8);
  if (rounded < 0.9 * value) rounded += 8;
  return rounded;
}

SearchSpace SpaceFromJson(const Json& json) {
  SearchSpace space;
  JsonReader reader(json, "space");
  space.name = reader.String("name");
  if (space.name.empty() || space.name.size() > 100) {
    throw InvalidField("space.name", "\"" + space.name.substr(0, 80) + "\"",
                       "1 to 100 characters");
  }
  space.input_channels = static_cast<int>(reader.Int("input_channels", 3, 3, 3));
  space.num_classes = static_cast<int>(reader.Int("num_classes", 2, 1000000));
  space.stem_width = static_cast<int>(reader.Int("stem_width", 1, kMaxWidth));
  space.stem_stride = static_cast<int>(reader.Int("stem_stride", 1, 2));
  space.first_block_width = static_cast<int>(reader.Int("first_block_width", 1, kMaxWidth));
  space.first_block_activation = ActivationFrom(reader, "first_block_activation");
  const Json& stages = reader.Get("stages");
  if (!stages.is_array() || stages.empty() || stages.size() > kMaxStages) {
    throw InvalidField("space.stages", stages.is_array() ? std::to_string(stages.size()) + " stages"
                                                         : "no array",
                       "an array of 1 to " + std::to_string(kMaxStages) + " stages");
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    JsonReader stage(stages[i], "space.stages[" + std::to_string(i) + "]");
    Stage parsed;
    parsed.width = static_cast<int>(stage.Int("width", 1, kMaxWidth));
    parsed.stride = static_cast<int>(stage.Int("stride", 1, 2));
    parsed.activation = ActivationFrom(stage, "activation");
    parsed.squeeze_excite = stage.Bool("squeeze_excite");
    stage.Finish();
    space.stages.push_back(parsed);
  }
  space.final_expand_width = static_cast<int>(reader.Int("final_expand_width", 1, kMaxWidth));
  space.feature_mix_width = static_cast<int>(reader.Int("feature_mix_width", 1, kMaxWidth));
  space.resolutions = Choices(reader, "resolutions", 8, 4096, true);
  space.bits = Choices(reader, "bits", 1, 8, false);
  space.kernels = Choices(reader, "kernels", 1, 15, true, true);
  space.expands = Choices(reader, "expands", 1, 16, true);
  space.depths = Choices(reader, "depths", 1, 16, true);
  reader.Finish();
  return space;
}

Json SpaceToJson(const SearchSpace& space) {
  Json stages = Json::array();
  for (const Stage& stage : space.stages) {
    stages.push_back({{"width", stage.width},
                      {"stride", stage.stride},
                      {"activation", NameOf(stage.activation)},
                      {"squeeze_excite", stage.squeeze_excite}});
  }
  return {{"name", space.name},
          {"input_channels", space.input_channels},
          {"num_classes", space.num_classes},
          {"stem_width", space.stem_width},
          {"stem_stride", space.stem_stride},
          {"first_block_width", space.first_block_width},
          {"first_block_activation", NameOf(space.first_block_activation)},
          {"stages", stages},
          {"final_expand_width", space.final_expand_width},
          {"feature_mix_width", space.feature_mix_width},
          {"resolutions", space.resolutions},
          {"bits", space.bits},
          {"kernels", space.kernels},
          {"expands", space.expands},
          {"depths", space.depths}};
}

SearchSpace LoadSpace(const std::string& name_or_file) {
  const std::vector<std::string> presets = PresetNames();
  if (std::find(presets.begin(), presets.end(), name_or_file) != presets.end()) {
    return Preset(name_or_file);
  }
  if (!std::filesystem::exists(name_or_file)) return Preset(name_or_file);  // throws, with the names
  try {
    return SpaceFromJson(ParseJson(ReadFile(name_or_file, 1 << 20), "space"));
  } catch (const Error& error) {
    throw WithContext(name_or_file, error);
  }
}

}  // namespace oqat::space
