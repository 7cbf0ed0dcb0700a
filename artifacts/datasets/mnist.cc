#include <array>
#include <filesystem>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "artifacts/gzip.h"
#include "base/error.h"
#include "base/files.h"

namespace oqat::artifacts {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30;  // unpacked
constexpr std::uint32_t kImagesMagic = 0x803, kLabelsMagic = 0x801;
constexpr std::uint32_t kMaxSide = 4096;

Error Broken(std::string_view where, std::string_view field, std::string_view value,
             std::string_view allowed) {
  return Error(Code::kDataLoss,
               InvalidField(std::string(where) + ": " + std::string(field), value, allowed).what());
}

std::uint32_t BigEndian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// Checks the magic number and that the bytes are as many as the dimensions say. Returns those.
std::vector<std::uint32_t> CheckIdx(std::string_view bytes, std::uint32_t magic,
                                    std::string_view where) {
  const std::size_t rank = magic & 0xff, header = 4 + 4 * rank;
  if (bytes.size() < header) {
    throw Broken(where, "header", std::to_string(bytes.size()) + " bytes",
                 "at least " + std::to_string(header));
  }
  if (BigEndian(bytes, 0) != magic) {
    throw Broken(where, "magic number", std::to_string(BigEndian(bytes, 0)),
                 std::to_string(magic) + " (an IDX file of bytes)");
  }
  std::vector<std::uint32_t> dimensions;
  for (std::size_t i = 0; i < rank; ++i) {
    dimensions.push_back(BigEndian(bytes, 4 + 4 * i));
    if (i > 0 && (dimensions[i] < 1 || dimensions[i] > kMaxSide)) {
      throw Broken(where, i == 1 ? "rows" : "columns", std::to_string(dimensions[i]),
                   "1 to " + std::to_string(kMaxSide));
    }
  }
  std::uint64_t size = header;
  std::uint64_t content = 1;
  for (std::uint32_t dimension : dimensions) content *= dimension;  // < 2^32 x 2^12 x 2^12
  size += content;
  if (size != bytes.size()) {
    throw Broken(where, "file size", std::to_string(bytes.size()) + " bytes",
                 std::to_string(size) + ", what the header says");
  }
  return dimensions;
}

struct IdxFile {
  std::string path, bytes;
};

// "train-images-idx3-ubyte", the same with a dot before idx3, each plain or with .gz behind.
IdxFile FindIdx(const std::filesystem::path& folder, const std::string& stem,
                const std::string& kind) {
  for (const char* separator : {"-", "."}) {
    for (const char* suffix : {"", ".gz"}) {
      const std::filesystem::path path = folder / (stem + separator + kind + suffix);
      std::error_code ignored;
      if (!std::filesystem::exists(path, ignored)) continue;
      return {path.string(), ReadFile(path.string(), kMaxBytes)};
    }
  }
  throw Error(Code::kNotFound, (folder / (stem + "-" + kind)).string() +
                                   ": is missing; the IDX file, plain or .gz, is needed");
}

}  // namespace

void ParseIdx(std::string_view images_bytes, std::string_view images_where,
              std::string_view labels_bytes, std::string_view labels_where, ImageSet& images) {
  std::string images_plain, labels_plain;
  if (IsGzip(images_bytes)) {
    images_bytes = images_plain = Gunzip(images_bytes, images_where);
  }
  if (IsGzip(labels_bytes)) {
    labels_bytes = labels_plain = Gunzip(labels_bytes, labels_where);
  }
  const std::vector<std::uint32_t> size = CheckIdx(images_bytes, kImagesMagic, images_where);
  const std::uint32_t labels = CheckIdx(labels_bytes, kLabelsMagic, labels_where)[0];
  if (labels != size[0] || labels == 0) {
    throw Broken(labels_where, "labels", std::to_string(labels),
                 "one per image, of which there are " + std::to_string(size[0]));
  }
  const std::size_t pixels = std::size_t{size[1]} * size[2];
  RgbImage image{static_cast<int>(size[2]), static_cast<int>(size[1]),
                 std::vector<std::uint8_t>(3 * pixels)};
  for (std::uint32_t i = 0; i < labels; ++i) {
    const auto label = static_cast<unsigned char>(labels_bytes[8 + i]);
    if (label > 9) {
      throw Broken(labels_where, "label[" + std::to_string(i) + "]", std::to_string(label),
                   "0 to 9");
    }
    const char* grey = images_bytes.data() + 16 + i * pixels;
    for (std::size_t p = 0; p < pixels; ++p) {
      for (std::size_t c = 0; c < 3; ++c) {
        image.pixels[3 * p + c] = static_cast<std::uint8_t>(grey[p]);
      }
    }
    AppendCropped(image, label, images);
  }
}

Dataset LoadMnist(const std::string& folder, const DatasetOptions& options) {
  Dataset dataset;
  for (int digit = 0; digit < 10; ++digit) dataset.class_names.push_back(std::to_string(digit));
  dataset.train.size = dataset.test.size = options.image_size;
  const auto load = [&](const std::string& split, ImageSet& images) {
    const IdxFile pixels = FindIdx(folder, split + "-images", "idx3-ubyte");
    const IdxFile labels = FindIdx(folder, split + "-labels", "idx1-ubyte");
    ParseIdx(pixels.bytes, pixels.path, labels.bytes, labels.path, images);
  };
  load("train", dataset.train);
  if (options.progress) options.progress(1, 2);
  load("t10k", dataset.test);
  if (options.progress) options.progress(2, 2);
  return dataset;
}

}  // namespace oqat::artifacts
