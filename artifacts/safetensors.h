#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oqat::artifacts {

enum class DType { kF64, kF32, kF16, kI64, kI32, kU8, kI8 };

std::size_t SizeOf(DType dtype);
std::string_view DTypeName(DType dtype);  ///< the format's name, "F32"

/// A dense, row-major, little-endian tensor that owns its bytes.
struct Tensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  std::int64_t numel() const;
  bool operator==(const Tensor&) const = default;
};

Tensor TensorFromFloats(std::vector<std::int64_t> shape, const float* values);

/// The values as float (F64, F32, F16 are converted). Throws Error INVALID_ARGUMENT otherwise.
std::vector<float> ToFloats(const Tensor& tensor);

/// The values as double (F64, F32, F16 are converted). Throws Error INVALID_ARGUMENT otherwise.
std::vector<double> ToDoubles(const Tensor& tensor);

/// A safetensors file: named tensors and string metadata (`__metadata__`).
struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

/// Reads any bytes without harm. Throws Error DATA_LOSS (truncated, overlapping, lying or oversized
/// headers) naming `where` (the file) and the field; see docs/FORMATS.md for the limits.
SafeTensors ParseSafeTensors(std::string_view bytes, std::string_view where);
SafeTensors ReadSafeTensors(const std::string& path);

/// The same input gives the same bytes: tensors sorted by name, 8-byte aligned data.
std::string SerializeSafeTensors(const SafeTensors& file);
void WriteSafeTensors(const std::string& path, const SafeTensors& file);

/// A tensor whose bytes belong to someone else, and a file of such.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};
struct SafeTensorsView {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorView> tensors;
};

/// The same bytes as of an equal SafeTensors; writing copies no tensor, and returns the sha256.
std::string SerializeSafeTensorsView(const SafeTensorsView& file);
std::string WriteSafeTensorsView(const std::string& path, const SafeTensorsView& file);

}  // namespace oqat::artifacts
