#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "artifacts/safetensors.h"
#include "base/json.h"
#include "space/search_space.h"

namespace oqat::artifacts {

/// How pixels become network input: (byte / 255 - mean[c]) / std[c], channels RGB.
struct Normalization {
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> std{1, 1, 1};
  bool operator==(const Normalization&) const = default;
};

/// Range of quantized activations. kUnsigned is what the authors' code does everywhere; kAuto uses
/// the signed range where a convolution's input has no rectifier before it.
enum class ActivationRange { kUnsigned, kAuto };
std::string_view ActivationRangeName(ActivationRange range);            ///< "unsigned", "auto"
ActivationRange ActivationRangeFromName(std::string_view name, std::string_view field);

/// Where a checkpoint comes from.
struct Lineage {
  std::string parent_sha256;  ///< the checkpoint it inherited from; empty for the first
  Json recipe = Json::object();
  std::uint64_t seed = 0;
  bool operator==(const Lineage&) const = default;
};

/// A supernet's weights for one bit width. On disk: safetensors whose metadata entry "oqat" is the
/// JSON header {format, space, bits, activation_range, normalization, lineage}.
struct Checkpoint {
  space::SearchSpace space;
  int bits = 0;  ///< 4, 3, 2 or any quantized width; 32 is the float supernet
  ActivationRange activation_range = ActivationRange::kUnsigned;
  Normalization normalization;
  Lineage lineage;
  std::map<std::string, Tensor> tensors;  ///< names and shapes: docs/FORMATS.md
};

/// Throws Error: DATA_LOSS for broken files, INVALID_ARGUMENT for a header that is not a
/// checkpoint's, naming the file and the field. Tensor names are checked by the supernet.
Checkpoint ParseCheckpoint(std::string_view bytes, std::string_view where);
Checkpoint ReadCheckpoint(const std::string& path);
std::string SerializeCheckpoint(const Checkpoint& checkpoint);

/// Writes to a temporary name, then renames. Returns the sha256 of the file.
std::string WriteCheckpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace oqat::artifacts
