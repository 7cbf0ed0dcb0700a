#include "artifacts/packed_dataset.h"

#include <array>

#include "artifacts/datasets/loaders.h"
#include "artifacts/image_file.h"
#include "base/files.h"

namespace oqat::artifacts {
namespace {

constexpr std::string_view kFormat = "oqat-data-set-1";
constexpr std::array<std::string_view, 2> kParts{"train", "test"};

ImageSet Resized(const ImageSet& images, int size) {
  ImageSet result{size, {}, images.labels};
  result.pixels.resize(static_cast<std::size_t>(result.count() * result.bytes_per_image()));
  for (std::int64_t i = 0; i < images.count(); ++i) {
    ResizeSquare(images.image(i), images.size, result.pixels.data() + i * result.bytes_per_image(),
                 size);
  }
  return result;
}

}  // namespace

std::string WritePackedDataset(const std::string& path, const Dataset& dataset) {
  return WriteSafeTensorsView(
      path, ViewImageFile(kFormat, dataset.spec, dataset.class_names, dataset.train.size,
                          {{"train", &dataset.train}, {"test", &dataset.test}}));
}

Dataset ParsePackedDataset(std::string_view bytes, std::string_view where) {
  ImageFile file = ParseImageFile(bytes, where, kFormat, kParts);
  return {std::move(file.source), std::move(file.class_names), std::move(file.parts.at("train")),
          std::move(file.parts.at("test"))};
}

Dataset ReadPackedDataset(const std::string& path) {
  return ParsePackedDataset(ReadFile(path), path);
}

Dataset LoadPacked(const std::string& path, const DatasetOptions& options) {
  Dataset dataset = ReadPackedDataset(path);
  for (ImageSet* images : {&dataset.train, &dataset.test}) {
    if (images->size != options.image_size) *images = Resized(*images, options.image_size);
  }
  return dataset;
}

}  // namespace oqat::artifacts
