#include "supernet/train/train_state.h"

#include <set>
#include <vector>

#include "base/error.h"

namespace oqat::supernet {
namespace {

constexpr const char* kEntry = "oqat_training";
constexpr int kFormat = 1;
constexpr std::size_t kMaxDifferences = 5;

std::string Short(const Json& value) {
  std::string text = value.dump();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

void Compare(const std::string& path, const Json& there, const Json& here,
             std::vector<std::string>& found) {
  if (there == here) return;
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (there.is_object() && here.is_object()) {
    std::set<std::string> keys;
    for (const auto& [key, value] : there.items()) keys.insert(key);
    for (const auto& [key, value] : here.items()) keys.insert(key);
    for (const std::string& key : keys) {
      Compare(below(key), there.value(key, Json()), here.value(key, Json()), found);
    }
  } else if (there.is_array() && here.is_array() && there.size() == here.size()) {
    for (std::size_t i = 0; i < there.size(); ++i) {
      Compare(path + "[" + std::to_string(i) + "]", there[i], here[i], found);
    }
  } else {
    found.push_back(path + ": " + Short(there) + " there, " + Short(here) + " here");
  }
}

}  // namespace

void WriteTrainState(const std::string& path, const TrainState& state) {
  artifacts::SafeTensors file;
  file.metadata[kEntry] = Json{
      {"format", kFormat},
      {"identity", state.identity},
      {"stage", state.stage},
      {"steps", state.steps},
      {"progress", state.progress},
      {"seconds", state.seconds},
      {"stage_seconds", state.stage_seconds},
      {"metrics_bytes", state.metrics_bytes},
      {"running", state.running},
      {"fresh_steps", state.fresh_steps},
      {"finished",
       state.finished}}.dump();
  file.tensors = state.tensors;
  artifacts::WriteSafeTensors(path, file);
}

TrainState ReadTrainState(const std::string& path) {
  artifacts::SafeTensors file = artifacts::ReadSafeTensors(path);
  const auto entry = file.metadata.find(kEntry);
  if (entry == file.metadata.end()) {
    throw Error(Code::kInvalidArgument, path + ": not the state of a training");
  }
  const Json json = ParseJson(entry->second, path);
  JsonReader reader(json, path);
  reader.Int("format", kFormat, kFormat);
  TrainState state;
  state.identity = reader.Get("identity");
  state.stage = static_cast<std::size_t>(reader.Int("stage", 0, 1000));
  state.steps = reader.Int("steps", 0, INT64_MAX);
  state.progress = reader.Number("progress", 0, 2);
  state.seconds = reader.Number("seconds", 0, 1e12);
  state.stage_seconds = reader.Number("stage_seconds", 0, 1e12);
  state.metrics_bytes = static_cast<std::uint64_t>(reader.Int("metrics_bytes", 0, INT64_MAX));
  state.running = reader.Get("running");
  state.fresh_steps = reader.IntList("fresh_steps", 0, 100000);
  state.finished = reader.Get("finished");
  reader.Finish();
  state.tensors = std::move(file.tensors);
  return state;
}

std::string DifferencesOf(const Json& there, const Json& here) {
  std::vector<std::string> found;
  Compare("", there, here, found);
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < kMaxDifferences; ++i) {
    text += (text.empty() ? "" : "; ") + found[i];
  }
  if (found.size() > kMaxDifferences) {
    text += "; and " + std::to_string(found.size() - kMaxDifferences) + " more";
  }
  return text;
}

}  // namespace oqat::supernet
