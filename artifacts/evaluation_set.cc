#include "artifacts/evaluation_set.h"

#include <array>

#include "artifacts/image_file.h"
#include "base/error.h"
#include "base/files.h"

namespace oqat::artifacts {
namespace {

constexpr std::string_view kFormat = "oqat-evaluation-set-1";
constexpr std::array kSplits{Split::kCalibration, Split::kSearch, Split::kTest};
constexpr std::array<std::string_view, 3> kNames{"calibration", "search", "test"};

SafeTensorsView View(const EvaluationSet& set) {
  return ViewImageFile(
      kFormat, set.source, set.class_names, set.image_size,
      {{"calibration", &set.calibration}, {"search", &set.search}, {"test", &set.test}});
}

}  // namespace

std::string_view SplitName(Split split) { return kNames[static_cast<std::size_t>(split)]; }

Split SplitFromName(std::string_view name, std::string_view field) {
  for (Split split : kSplits) {
    if (SplitName(split) == name) return split;
  }
  throw InvalidField(field, name, "calibration, search, test");
}

const ImageSet& EvaluationSet::split(Split which) const {
  switch (which) {
    case Split::kCalibration: return calibration;
    case Split::kSearch: return search;
    case Split::kTest: return test;
  }
  return test;
}

EvaluationSet ParseEvaluationSet(std::string_view bytes, std::string_view where) {
  ImageFile file = ParseImageFile(bytes, where, kFormat, kNames);
  return {std::move(file.source),
          std::move(file.class_names),
          file.image_size,
          std::move(file.parts.at("calibration")),
          std::move(file.parts.at("search")),
          std::move(file.parts.at("test"))};
}

EvaluationSet ReadEvaluationSet(const std::string& path) {
  return ParseEvaluationSet(ReadFile(path), path);
}

std::string SerializeEvaluationSet(const EvaluationSet& set) {
  return SerializeSafeTensorsView(View(set));
}

std::string WriteEvaluationSet(const std::string& path, const EvaluationSet& set) {
  return WriteSafeTensorsView(path, View(set));
}

}  // namespace oqat::artifacts
