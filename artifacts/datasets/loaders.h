#pragma once
// Internal to artifacts/: one loader per kind of data set. `where` of an error is the file's path.

#include <cstdint>
#include <string>
#include <string_view>

#include "artifacts/dataset.h"

namespace oqat::artifacts {

Dataset LoadImageFolder(const std::string& folder, const DatasetOptions& options);
Dataset LoadCifar10(const std::string& folder, const DatasetOptions& options);
Dataset LoadMnist(const std::string& folder, const DatasetOptions& options);
Dataset LoadPacked(const std::string& path, const DatasetOptions& options);

/// `arguments` is what follows "synthetic": empty or ":train=N,test=N".
Dataset LoadSynthetic(std::string_view arguments, const DatasetOptions& options);

/// Appends the records of one CIFAR-10 binary file: a label byte, then 3 x 32 x 32 bytes, planar.
/// Throws Error DATA_LOSS for another length or a label above 9.
void ParseCifarBatch(std::string_view bytes, std::string_view where, ImageSet& images);

/// Appends the images of an IDX pair (magic 0x803 and 0x801), each plain or gzip. Throws Error
/// DATA_LOSS for headers that do not fit the bytes, counts that differ, a label above 9.
void ParseIdx(std::string_view images_bytes, std::string_view images_where,
              std::string_view labels_bytes, std::string_view labels_where, ImageSet& images);

/// Image `index` of a synthetic split, drawn into [size, size, 3] bytes. `purpose` names the split
/// ("synthetic.train" or "synthetic.test"); its class is index % 10.
void DrawSynthetic(std::uint64_t seed, std::string_view purpose, std::uint64_t index, int size,
                   std::uint8_t* pixels);

}  // namespace oqat::artifacts
