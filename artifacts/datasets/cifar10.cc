#include <filesystem>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "base/error.h"
#include "base/files.h"

namespace oqat::artifacts {
namespace {

constexpr int kSide = 32;
constexpr std::size_t kPlane = std::size_t{kSide} * kSide;
constexpr std::size_t kRecord = 1 + 3 * kPlane;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;

}  // namespace

void ParseCifarBatch(std::string_view bytes, std::string_view where, ImageSet& images) {
  if (bytes.empty() || bytes.size() % kRecord != 0) {
    throw Error(Code::kDataLoss, InvalidField(std::string(where) + ": file size",
                                              std::to_string(bytes.size()) + " bytes",
                                              "a positive multiple of " + std::to_string(kRecord) +
                                                  " (one label and 32 x 32 x 3 bytes)")
                                     .what());
  }
  RgbImage image{kSide, kSide, std::vector<std::uint8_t>(3 * kPlane)};
  for (std::size_t record = 0; record < bytes.size() / kRecord; ++record) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data()) + record * kRecord;
    if (*data > 9) {
      throw Error(Code::kDataLoss,
                  InvalidField(std::string(where) + ": label[" + std::to_string(record) + "]",
                               std::to_string(*data), "0 to 9")
                      .what());
    }
    for (std::size_t i = 0; i < kPlane; ++i) {
      for (std::size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = data[1 + c * kPlane + i];
    }
    AppendCropped(image, *data, images);
  }
}

Dataset LoadCifar10(const std::string& folder, const DatasetOptions& options) {
  // The official archive unpacks into a folder of its own; either level may be named.
  std::filesystem::path root = folder;
  std::error_code ignored;
  if (std::filesystem::is_directory(root / "cifar-10-batches-bin", ignored)) {
    root /= "cifar-10-batches-bin";
  }
  Dataset dataset;
  dataset.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                         "dog",      "frog",       "horse", "ship", "truck"};
  dataset.train.size = dataset.test.size = options.image_size;
  const auto load = [&](const std::string& name, ImageSet& images) {
    const std::string path = (root / name).string();
    ParseCifarBatch(ReadFile(path, kMaxFileBytes), path, images);
  };
  for (int batch = 1; batch <= 5; ++batch) {
    load("data_batch_" + std::to_string(batch) + ".bin", dataset.train);
    if (options.progress) options.progress(batch, 6);
  }
  load("test_batch.bin", dataset.test);
  if (options.progress) options.progress(6, 6);
  return dataset;
}

}  // namespace oqat::artifacts
