#include "artifacts/image_file.h"

#include <cstring>

#include "artifacts/json_header.h"
#include "base/error.h"

namespace oqat::artifacts {
namespace {

constexpr std::size_t kMaxClasses = 100'000;
constexpr std::int64_t kMaxImageSize = 4096;

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

// What both the reader and the writer demand of a part.
void CheckPart(const ImageSet& images, int size, std::size_t classes, const std::string& field) {
  if (images.count() == 0) {
    throw InvalidField(field + ".labels", "no images", "at least one");
  }
  if (images.size != size ||
      images.pixels.size() != static_cast<std::uint64_t>(images.count()) *
                                  static_cast<std::uint64_t>(images.bytes_per_image())) {
    throw InvalidField(
        field + ".images",
        std::to_string(images.pixels.size()) + " bytes of size " + std::to_string(images.size),
        std::to_string(images.count()) + " images of " + std::to_string(size) + " x " +
            std::to_string(size) + " x 3 bytes");
  }
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const std::int32_t label = images.labels[i];
    if (label < 0 || static_cast<std::size_t>(label) >= classes) {
      throw InvalidField(field + ".labels[" + std::to_string(i) + "]", std::to_string(label),
                         "0 to " + std::to_string(classes - 1));
    }
  }
}

void CheckClassNames(const std::vector<std::string>& names, const std::string& field) {
  if (names.empty() || names.size() > kMaxClasses) {
    throw InvalidField(field, std::to_string(names.size()) + " names",
                       "1 to " + std::to_string(kMaxClasses));
  }
}

std::vector<std::string> ReadClassNames(JsonReader& reader) {
  const std::string field = reader.PathOf("class_names");
  const Json& list = reader.Get("class_names");
  if (!list.is_array()) throw InvalidField(field, "something else", "an array of strings");
  std::vector<std::string> names;
  for (const Json& name : list) {
    if (!name.is_string()) {
      throw InvalidField(field + "[" + std::to_string(names.size()) + "]", "something else",
                         "a string");
    }
    names.push_back(name.get<std::string>());
  }
  CheckClassNames(names, field);
  return names;
}

}  // namespace

ImageFile ParseImageFile(std::string_view bytes, std::string_view where, std::string_view format,
                         std::span<const std::string_view> parts) {
  SafeTensors file = ParseSafeTensors(bytes, where);
  const Json header = ParseHeader(file, format, where);
  JsonReader reader(header, std::string(where) + ": header");
  ImageFile result;
  reader.String("format");
  result.source = reader.String("source");
  result.image_size = static_cast<int>(reader.Int("image_size", 1, kMaxImageSize));
  result.class_names = ReadClassNames(reader);
  reader.Finish();

  std::string known;
  for (const std::string_view part : parts) {
    const std::string name(part);
    known += (known.empty() ? "" : ", ") + name;
    const Tensor images = Take(file, name + ".images", DType::kU8, where);
    const Tensor labels = Take(file, name + ".labels", DType::kI32, where);
    const std::string field = std::string(where) + ": " + name;
    if (labels.shape.size() != 1) {
      throw InvalidField(field + ".labels.shape", Json(labels.shape).dump(), "[n]");
    }
    const std::vector<std::int64_t> shape{labels.shape[0], result.image_size, result.image_size, 3};
    if (images.shape != shape) {
      throw InvalidField(field + ".images.shape", Json(images.shape).dump(), Json(shape).dump());
    }
    ImageSet& set = result.parts[name];
    set.size = result.image_size;
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.bytes.data());
    set.pixels.assign(pixels, pixels + images.bytes.size());
    set.labels.resize(labels.bytes.size() / sizeof(std::int32_t));
    if (!set.labels.empty()) {
      std::memcpy(set.labels.data(), labels.bytes.data(), labels.bytes.size());
    }
    CheckPart(set, result.image_size, result.class_names.size(), field);
  }
  if (!file.tensors.empty()) {
    throw InvalidField(std::string(where) + ": tensors", Json(file.tensors.begin()->first).dump(),
                       "images and labels of " + known);
  }
  return result;
}

SafeTensorsView ViewImageFile(std::string_view format, const std::string& source,
                              const std::vector<std::string>& class_names, int image_size,
                              const std::map<std::string, const ImageSet*>& parts) {
  CheckClassNames(class_names, "class_names");
  if (image_size < 1 || image_size > kMaxImageSize) {
    throw InvalidField("image_size", std::to_string(image_size),
                       "1 to " + std::to_string(kMaxImageSize));
  }
  SafeTensorsView file;
  file.metadata["oqat"] = HeaderText({{"format", format},
                                      {"source", source},
                                      {"class_names", class_names},
                                      {"image_size", image_size}});
  for (const auto& [name, set] : parts) {
    CheckPart(*set, image_size, class_names.size(), name);
    file.tensors[name + ".images"] = {
        DType::kU8, {set->count(), set->size, set->size, 3}, std::as_bytes(std::span(set->pixels))};
    file.tensors[name + ".labels"] = {
        DType::kI32, {set->count()}, std::as_bytes(std::span(set->labels))};
  }
  return file;
}

}  // namespace oqat::artifacts
