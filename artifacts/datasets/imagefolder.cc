#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "base/error.h"
#include "base/files.h"

namespace oqat::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{256} << 20;

bool Hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

bool IsImageName(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Class name -> sorted paths of its images, those in deeper folders included.
using Classes = std::map<std::string, std::vector<std::string>>;

std::vector<std::string> ListImages(const fs::path& folder) {
  std::vector<std::string> paths;
  for (auto it = fs::recursive_directory_iterator(folder); it != fs::recursive_directory_iterator();
       ++it) {
    if (Hidden(it->path())) {
      if (it->is_directory()) it.disable_recursion_pending();
    } else if (IsImageName(it->path()) && it->is_regular_file()) {
      paths.push_back(it->path().string());
    }
  }
  if (paths.empty()) {
    throw Error(Code::kNotFound,
                folder.string() + ": class folder without images; allowed: .jpg, .jpeg and .png");
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Classes ListClasses(const fs::path& folder) {
  Classes classes;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (Hidden(entry.path()) || !entry.is_directory()) continue;
    classes.emplace(entry.path().filename().string(), ListImages(entry.path()));
  }
  if (classes.empty()) {
    throw Error(Code::kNotFound, folder.string() + ": no class folders; one per class is needed");
  }
  return classes;
}

}  // namespace

Dataset LoadImageFolder(const std::string& folder, const DatasetOptions& options) {
  Dataset dataset;
  Classes train, test;
  try {
    const fs::path root(folder);
    if (!fs::is_directory(root)) throw Error(Code::kNotFound, folder + ": is not a folder");
    if (!fs::is_directory(root / "train")) {
      throw Error(Code::kNotFound, (root / "train").string() + ": is missing; training images");
    }
    const fs::path test_folder = fs::is_directory(root / "test") ? root / "test" : root / "val";
    if (!fs::is_directory(test_folder)) {
      throw Error(Code::kNotFound,
                  folder + ": has neither test nor val; one of them with test images is needed");
    }
    train = ListClasses(root / "train");
    test = ListClasses(test_folder);
    for (const auto& [name, paths] : test) {
      if (!train.contains(name)) {
        throw Error(Code::kInvalidArgument,
                    (test_folder / name).string() + ": class is not among the " +
                        std::to_string(train.size()) + " of " + (root / "train").string());
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(Code::kPermissionDenied,
                error.path1().string() + ": cannot be listed: " + error.code().message());
  }

  std::map<std::string, std::int32_t> label_of;
  std::int64_t total = 0, done = 0;
  for (const auto& [name, paths] : train) {
    label_of.emplace(name, static_cast<std::int32_t>(dataset.class_names.size()));
    dataset.class_names.push_back(name);
    total += std::ssize(paths);
  }
  for (const auto& [name, paths] : test) total += std::ssize(paths);

  const auto load = [&](const Classes& classes, ImageSet& images) {
    images.size = options.image_size;
    for (const auto& [name, paths] : classes) {
      for (const std::string& path : paths) {
        AppendCropped(DecodeImage(ReadFile(path, kMaxFileBytes), path), label_of.at(name), images);
        if (++done % 500 == 0 && options.progress) options.progress(done, total);
      }
    }
  };
  load(train, dataset.train);
  load(test, dataset.test);
  return dataset;
}

}  // namespace oqat::artifacts
