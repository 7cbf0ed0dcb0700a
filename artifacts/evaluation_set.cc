#include "artifacts/evaluation_set.h"

#include <array>
#include <cstring>

#include "artifacts/json_header.h"
#include "artifacts/safetensors.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"

namespace oqat::artifacts {
namespace {

constexpr std::string_view kFormat = "oqat-evaluation-set-1";
constexpr std::size_t kMaxClasses = 100'000;
constexpr std::int64_t kMaxImageSize = 4096;
constexpr std::array kSplits{Split::kCalibration, Split::kSearch, Split::kTest};

ImageSet& Mutable(EvaluationSet& set, Split which) {
  return const_cast<ImageSet&>(set.split(which));
}

Tensor Take(SafeTensors& file, const std::string& name, DType dtype, std::string_view where) {
  const std::string field = std::string(where) + ": " + name;
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) {
    throw Error(Code::kInvalidArgument, field + ": is missing; it is required");
  }
  if (found->second.dtype != dtype) {
    throw InvalidField(field + ".dtype", DTypeName(found->second.dtype), DTypeName(dtype));
  }
  Tensor tensor = std::move(found->second);
  file.tensors.erase(found);
  return tensor;
}

// What both the reader and the writer demand of a split.
void CheckSplit(const ImageSet& images, const EvaluationSet& set, const std::string& field) {
  if (images.count() == 0) {
    throw InvalidField(field + ".labels", "no images", "at least one");
  }
  if (images.size != set.image_size ||
      images.pixels.size() != static_cast<std::uint64_t>(images.count()) *
                                  static_cast<std::uint64_t>(images.bytes_per_image())) {
    throw InvalidField(
        field + ".images",
        std::to_string(images.pixels.size()) + " bytes of size " + std::to_string(images.size),
        std::to_string(images.count()) + " images of " + std::to_string(set.image_size) + " x " +
            std::to_string(set.image_size) + " x 3 bytes");
  }
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const std::int32_t label = images.labels[i];
    if (label < 0 || static_cast<std::size_t>(label) >= set.class_names.size()) {
      throw InvalidField(field + ".labels[" + std::to_string(i) + "]", std::to_string(label),
                         "0 to " + std::to_string(set.class_names.size() - 1));
    }
  }
}

void CheckClassNames(const std::vector<std::string>& names, const std::string& field) {
  if (names.empty() || names.size() > kMaxClasses) {
    throw InvalidField(field, std::to_string(names.size()) + " names",
                       "1 to " + std::to_string(kMaxClasses));
  }
}

}  // namespace

std::string_view SplitName(Split split) {
  switch (split) {
    case Split::kCalibration: return "calibration";
    case Split::kSearch: return "search";
    case Split::kTest: return "test";
  }
  return "test";
}

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
  SafeTensors file = ParseSafeTensors(bytes, where);
  const Json header = ParseHeader(file, kFormat, where);
  JsonReader reader(header, std::string(where) + ": header");
  EvaluationSet set;
  reader.String("format");
  set.source = reader.String("source");
  set.image_size = static_cast<int>(reader.Int("image_size", 1, kMaxImageSize));
  const Json& names = reader.Get("class_names");
  if (!names.is_array()) {
    throw InvalidField(reader.PathOf("class_names"), "something else", "an array of strings");
  }
  for (const Json& name : names) {
    if (!name.is_string()) {
      throw InvalidField(
          reader.PathOf("class_names") + "[" + std::to_string(set.class_names.size()) + "]",
          "something else", "a string");
    }
    set.class_names.push_back(name.get<std::string>());
  }
  CheckClassNames(set.class_names, reader.PathOf("class_names"));
  reader.Finish();

  for (Split which : kSplits) {
    const std::string name(SplitName(which));
    const Tensor images = Take(file, name + ".images", DType::kU8, where);
    const Tensor labels = Take(file, name + ".labels", DType::kI32, where);
    const std::string field = std::string(where) + ": " + name;
    if (labels.shape.size() != 1) {
      throw InvalidField(field + ".labels.shape", Json(labels.shape).dump(), "[n]");
    }
    const std::vector<std::int64_t> shape{labels.shape[0], set.image_size, set.image_size, 3};
    if (images.shape != shape) {
      throw InvalidField(field + ".images.shape", Json(images.shape).dump(), Json(shape).dump());
    }
    ImageSet& split = Mutable(set, which);
    split.size = set.image_size;
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.bytes.data());
    split.pixels.assign(pixels, pixels + images.bytes.size());
    split.labels.resize(labels.bytes.size() / sizeof(std::int32_t));
    if (!split.labels.empty()) {
      std::memcpy(split.labels.data(), labels.bytes.data(), labels.bytes.size());
    }
    CheckSplit(split, set, field);
  }
  if (!file.tensors.empty()) {
    throw InvalidField(std::string(where) + ": tensors", Json(file.tensors.begin()->first).dump(),
                       "images and labels of calibration, search and test");
  }
  return set;
}

EvaluationSet ReadEvaluationSet(const std::string& path) {
  return ParseEvaluationSet(ReadFile(path), path);
}

std::string SerializeEvaluationSet(const EvaluationSet& set) {
  CheckClassNames(set.class_names, "class_names");
  if (set.image_size < 1 || set.image_size > kMaxImageSize) {
    throw InvalidField("image_size", std::to_string(set.image_size),
                       "1 to " + std::to_string(kMaxImageSize));
  }
  SafeTensors file;
  file.metadata["oqat"] = HeaderText({{"format", kFormat},
                                      {"source", set.source},
                                      {"class_names", set.class_names},
                                      {"image_size", set.image_size}});
  for (Split which : kSplits) {
    const ImageSet& split = set.split(which);
    const std::string name(SplitName(which));
    CheckSplit(split, set, name);
    Tensor images{DType::kU8, {split.count(), split.size, split.size, 3}, {}};
    const auto* pixels = reinterpret_cast<const std::byte*>(split.pixels.data());
    images.bytes.assign(pixels, pixels + split.pixels.size());
    Tensor labels{DType::kI32, {split.count()}, {}};
    const auto* values = reinterpret_cast<const std::byte*>(split.labels.data());
    labels.bytes.assign(values, values + split.labels.size() * sizeof(std::int32_t));
    file.tensors[name + ".images"] = std::move(images);
    file.tensors[name + ".labels"] = std::move(labels);
  }
  return SerializeSafeTensors(file);
}

std::string WriteEvaluationSet(const std::string& path, const EvaluationSet& set) {
  const std::string bytes = SerializeEvaluationSet(set);
  WriteFileAtomically(path, bytes);
  return Sha256Hex(bytes);
}

}  // namespace oqat::artifacts
