#pragma once

#include <string>
#include <string_view>

#include "artifacts/dataset.h"

namespace oqat::artifacts {

/// A decoded data set in one file (docs/FORMATS.md), for machines without image libraries: training
/// and test images of one size, in the data set's order.

/// Writes `dataset`; its images are not copied. Returns the file's sha256. Throws Error
/// (RESOURCE_EXHAUSTED on a full disk); the file appears only when it is complete.
std::string WritePackedDataset(const std::string& path, const Dataset& dataset);

/// The data set at the size at which it was packed; its spec is the one it was packed from. Throws
/// Error NOT_FOUND, or DATA_LOSS or INVALID_ARGUMENT naming the file and the field.
Dataset ParsePackedDataset(std::string_view bytes, std::string_view where);
Dataset ReadPackedDataset(const std::string& path);

}  // namespace oqat::artifacts
