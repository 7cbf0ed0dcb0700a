#include "supernet/train/run_folder.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace oqat::supernet {
namespace {

/// The preset's name if the space is one, so that model.json stays readable.
Json SpaceReference(const space::SearchSpace& space) {
  const auto names = space::PresetNames();
  if (std::find(names.begin(), names.end(), space.name) != names.end() &&
      space::Preset(space.name) == space) {
    return space.name;
  }
  return space::SpaceToJson(space);
}

}  // namespace

std::optional<TrainState> RunFolder::StateIn(const std::string& path) {
  const std::filesystem::path folder(path);
  if (std::filesystem::exists(folder / kState)) return ReadTrainState((folder / kState).string());
  for (const char* name : {kMetrics, kModel}) {
    // An empty log is that of a training that ended before its first state.
    std::error_code fault;
    if (std::filesystem::file_size(folder / name, fault) > 0 && !fault) {
      throw Error(Code::kAlreadyExists, "out: folder '" + path + "' holds a training (" + name +
                                            ") without its " + kState +
                                            "; give a new folder or remove this one");
    }
  }
  return std::nullopt;
}

RunFolder::RunFolder(const std::string& path, std::uint64_t metrics_bytes) : path_(path) {
  std::error_code fault;
  std::filesystem::create_directories(path, fault);
  if (fault || !std::filesystem::is_directory(path)) {
    throw Error(Code::kInvalidArgument,
                "out: cannot make folder '" + path + "': " + (fault ? fault.message() : "a file"));
  }
  // What a killed training was writing.
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(std::string(kState) + ".tmp.")) std::filesystem::remove(entry.path());
  }
  MetricsLog::Options options;
  options.keep_bytes = metrics_bytes;
  metrics_.emplace(path, std::move(options));
}

std::string RunFolder::CheckpointName(int bits) {
  return bits == 32 ? "float.ckpt.safetensors" : "b" + std::to_string(bits) + ".safetensors";
}

std::string RunFolder::PathOf(const std::string& name) const {
  return (std::filesystem::path(path_) / name).string();
}

void RunFolder::WriteModel(const space::SearchSpace& space, const std::vector<int>& bits) {
  Json checkpoints = Json::object();
  for (const int b : bits) checkpoints[std::to_string(b)] = CheckpointName(b);
  const Json model = {{"space", SpaceReference(space)},
                      {"checkpoints", checkpoints},
                      {"evaluation_set", kEvaluationSet}};
  WriteFileAtomically(PathOf(kModel), model.dump(2) + "\n");
}

}  // namespace oqat::supernet
