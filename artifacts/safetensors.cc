#include "artifacts/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "artifacts/safetensors_internal.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace oqat::artifacts {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored little-endian");

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference reader
constexpr std::size_t kMaxTensors = 100'000;
constexpr std::size_t kMaxMetadata = 10'000;

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<DTypeInfo, 7> kDTypes{{{DType::kF64, "F64", 8},
                                            {DType::kF32, "F32", 4},
                                            {DType::kF16, "F16", 2},
                                            {DType::kI64, "I64", 8},
                                            {DType::kI32, "I32", 4},
                                            {DType::kU8, "U8", 1},
                                            {DType::kI8, "I8", 1}}};

const DTypeInfo& InfoOf(DType dtype) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.dtype == dtype) return info;
  }
  throw Error(Code::kInternal, "dtype: not one of the known tensor types");
}

Error Broken(std::string_view where, std::string_view field, std::string_view value,
             std::string_view allowed) {
  return Error(Code::kDataLoss,
               std::string(where) + ": " + InvalidField(Shown(field), value, allowed).what());
}

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> shape;
  std::optional<std::vector<std::int64_t>> offsets;
};

// Reads the header event by event and keeps only what a header may hold, so that neither deep nor
// huge JSON costs more memory than the file itself, and duplicate names are seen.
class HeaderReader : public Json::json_sax_t {
 public:
  explicit HeaderReader(std::string_view where) : where_(where) {}

  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::kOutside: state_ = State::kRoot; return true;
      case State::kMetadataValue: state_ = State::kMetadata; return true;
      case State::kTensorValue: state_ = State::kTensor; return true;
      default: throw Unexpected("an object");
    }
  }

  bool key(string_t& name) override {
    if (state_ == State::kRoot) {
      if (!names_.insert(name).second) throw Broken(where_, Field(name), "a second entry", "one");
      if (name == kMetadataKey) {
        state_ = State::kMetadataValue;
        return true;
      }
      if (entries.size() == kMaxTensors) {
        throw Broken(where_, "header", "more tensors", "at most " + std::to_string(kMaxTensors));
      }
      entries.push_back({name, {}, {}, {}});
      state_ = State::kTensorValue;
    } else if (state_ == State::kMetadata) {
      if (metadata.contains(name)) throw Broken(where_, Field(name), "a second entry", "one");
      if (metadata.size() == kMaxMetadata) {
        throw Broken(where_, kMetadataKey, "more entries",
                     "at most " + std::to_string(kMaxMetadata));
      }
      field_ = name;
    } else {
      Entry& entry = entries.back();
      field_ = name;
      const bool seen = (name == "dtype" && entry.dtype) || (name == "shape" && entry.shape) ||
                        (name == "data_offsets" && entry.offsets);
      if (seen) throw Broken(where_, Field(), "a second entry", "one");
      if (name != "dtype" && name != "shape" && name != "data_offsets") {
        throw Broken(where_, Field(), "an unknown field", "dtype, shape, data_offsets");
      }
    }
    return true;
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      metadata.emplace(field_, value);
      return true;
    }
    if (state_ != State::kTensor || field_ != "dtype") throw Unexpected("a string");
    std::string known;
    for (const DTypeInfo& info : kDTypes) {
      if (info.name == value) {
        entries.back().dtype = info.dtype;
        return true;
      }
      known += (known.empty() ? "" : ", ") + std::string(info.name);
    }
    throw Broken(where_, Field(), Shown(value), known);
  }

  bool start_array(std::size_t) override {
    if (state_ != State::kTensor || field_ == "dtype") throw Unexpected("an array");
    state_ = State::kArray;
    numbers_.clear();
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::kArray) throw Unexpected("a number");
    const std::size_t limit = field_ == "shape" ? kMaxRank : 2;
    if (numbers_.size() == limit) {
      throw Broken(where_, Field(), "more numbers", "at most " + std::to_string(limit));
    }
    if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      throw Broken(where_, Field(), std::to_string(value), "an integer below 2^63");
    }
    numbers_.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool end_array() override {
    (field_ == "shape" ? entries.back().shape : entries.back().offsets) = numbers_;
    state_ = State::kTensor;
    return true;
  }

  bool end_object() override {
    state_ = state_ == State::kRoot ? State::kDone : State::kRoot;
    return true;
  }

  bool null() override { throw Unexpected("null"); }
  bool boolean(bool) override { throw Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { throw Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { throw Unexpected("a fraction"); }
  bool binary(binary_t&) override { throw Unexpected("binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    throw Error(Code::kDataLoss,
                where_ + ": header: malformed JSON at byte " + std::to_string(position) + " of it");
  }

 private:
  enum class State {
    kOutside,
    kRoot,
    kMetadataValue,
    kMetadata,
    kTensorValue,
    kTensor,
    kArray,
    kDone
  };

  std::string Field(std::string_view name = "") const {
    switch (state_) {
      case State::kRoot: return Shown(name);
      case State::kMetadataValue: return std::string(kMetadataKey);
      case State::kMetadata:
        return std::string(kMetadataKey) + "." + Shown(name.empty() ? field_ : name);
      case State::kTensorValue: return Shown(entries.back().name);
      case State::kTensor:
      case State::kArray: return Shown(entries.back().name) + "." + Shown(field_);
      default: return "header";
    }
  }

  Error Unexpected(std::string_view value) const {
    std::string_view allowed = "an object";
    if (state_ == State::kMetadata) allowed = "a string";
    if (state_ == State::kArray) allowed = "non-negative integers";
    if (state_ == State::kTensor) {
      allowed = field_ == "dtype" ? "a string" : "an array of non-negative integers";
    }
    return Broken(where_, Field(), value, allowed);
  }

  std::string where_;
  State state_ = State::kOutside;
  std::set<std::string> names_;
  std::string field_;
  std::vector<std::int64_t> numbers_;
};

void CheckEntry(const Entry& entry, std::uint64_t data_bytes, std::string_view where) {
  const std::string name = Shown(entry.name);
  const auto missing = [&](std::string_view field) {
    return Error(Code::kDataLoss, std::string(where) + ": " + name + "." + std::string(field) +
                                      ": is missing; it is required");
  };
  if (!entry.dtype) throw missing("dtype");
  if (!entry.shape) throw missing("shape");
  if (!entry.offsets) throw missing("data_offsets");
  if (entry.offsets->size() != 2) {
    throw Broken(where, name + ".data_offsets", std::to_string(entry.offsets->size()) + " numbers",
                 "[begin, end]");
  }
  const std::int64_t begin = (*entry.offsets)[0], end = (*entry.offsets)[1];
  if (begin > end || static_cast<std::uint64_t>(end) > data_bytes) {
    throw Broken(where, name + ".data_offsets",
                 "[" + std::to_string(begin) + "," + std::to_string(end) + "]",
                 "begin <= end <= " + std::to_string(data_bytes) + ", the bytes after the header");
  }
  const std::size_t element = SizeOf(*entry.dtype);
  const std::optional<std::int64_t> count = CheckedNumel(*entry.shape, element);
  if (!count) {
    throw Broken(where, name + ".shape", Json(*entry.shape).dump(), "a size below 2^63 bytes");
  }
  if (*count * static_cast<std::int64_t>(element) != end - begin) {
    throw Broken(where, name + ".data_offsets", std::to_string(end - begin) + " bytes",
                 std::to_string(*count * static_cast<std::int64_t>(element)) +
                     ", the size of its shape and dtype");
  }
}

float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0) {  // zero and subnormals: fraction x 2^-24 is exact
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

template <typename Stored, typename Wanted, typename Convert>
std::vector<Wanted> Values(const Tensor& tensor, Convert convert) {
  std::vector<Wanted> values(tensor.bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, tensor.bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Wanted>(convert(stored));
  }
  return values;
}

template <typename Wanted>
std::vector<Wanted> ToReals(const Tensor& tensor) {
  const auto same = [](auto value) { return value; };
  switch (tensor.dtype) {
    case DType::kF64: return Values<double, Wanted>(tensor, same);
    case DType::kF32: return Values<float, Wanted>(tensor, same);
    case DType::kF16: return Values<std::uint16_t, Wanted>(tensor, HalfToFloat);
    default: throw InvalidField("dtype", DTypeName(tensor.dtype), "F64, F32, F16");
  }
}

}  // namespace

std::string Shown(std::string_view text) {
  std::string shown;
  for (unsigned char c : text.substr(0, 80)) shown += c >= 0x20 && c < 0x7f ? char(c) : '?';
  return text.size() > 80 ? shown + "..." : shown;
}

std::optional<std::int64_t> CheckedNumel(const std::vector<std::int64_t>& shape,
                                         std::size_t element_size) {
  std::int64_t count = 1, total = 0;
  for (std::int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(count, dimension, &count)) return std::nullopt;
  }
  if (__builtin_mul_overflow(count, static_cast<std::int64_t>(element_size), &total)) {
    return std::nullopt;
  }
  return count;
}

std::size_t SizeOf(DType dtype) { return InfoOf(dtype).size; }
std::string_view DTypeName(DType dtype) { return InfoOf(dtype).name; }

std::int64_t Tensor::numel() const {
  std::int64_t count = 1;
  for (std::int64_t dimension : shape) count *= dimension;
  return count;
}

Tensor TensorFromFloats(std::vector<std::int64_t> shape, const float* values) {
  Tensor tensor{DType::kF32, std::move(shape), {}};
  tensor.bytes.resize(static_cast<std::size_t>(tensor.numel()) * sizeof(float));
  if (!tensor.bytes.empty()) std::memcpy(tensor.bytes.data(), values, tensor.bytes.size());
  return tensor;
}

std::vector<float> ToFloats(const Tensor& tensor) { return ToReals<float>(tensor); }
std::vector<double> ToDoubles(const Tensor& tensor) { return ToReals<double>(tensor); }

SafeTensors ParseSafeTensors(std::string_view bytes, std::string_view where) {
  if (bytes.size() < 8) {
    throw Broken(where, "header length", std::to_string(bytes.size()) + " bytes in the file",
                 "at least 8");
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const std::uint64_t limit = std::min<std::uint64_t>(kMaxHeaderBytes, bytes.size() - 8);
  if (header_bytes > limit) {
    throw Broken(where, "header length", std::to_string(header_bytes),
                 "at most " + std::to_string(limit) + " (the file's size and 100 MB)");
  }
  HeaderReader header(where);
  const std::string_view text = bytes.substr(8, header_bytes);
  Json::sax_parse(text.begin(), text.end(), &header);

  const std::string_view data = bytes.substr(8 + header_bytes);
  for (const Entry& entry : header.entries) CheckEntry(entry, data.size(), where);

  // In the order of their data: each tensor must begin where the one before ends. The format allows
  // neither overlaps nor holes, which could hide other content.
  std::vector<const Entry*> order;
  for (const Entry& entry : header.entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return *a->offsets < *b->offsets; });
  std::int64_t position = 0;
  for (const Entry* entry : order) {
    if ((*entry->offsets)[0] != position) {
      throw Broken(where, Shown(entry->name) + ".data_offsets",
                   "begin " + std::to_string((*entry->offsets)[0]),
                   "begin " + std::to_string(position) +
                       ", where the tensor before it ends (no overlap, no hole)");
    }
    position = (*entry->offsets)[1];
  }
  if (static_cast<std::uint64_t>(position) != data.size()) {
    throw Broken(where, "file size", std::to_string(bytes.size()) + " bytes",
                 std::to_string(8 + header_bytes + static_cast<std::uint64_t>(position)) +
                     ", what the header describes");
  }

  SafeTensors file;
  file.metadata = std::move(header.metadata);
  for (Entry& entry : header.entries) {
    Tensor tensor{*entry.dtype, std::move(*entry.shape), {}};
    const auto* begin = reinterpret_cast<const std::byte*>(data.data());
    tensor.bytes.assign(begin + (*entry.offsets)[0], begin + (*entry.offsets)[1]);
    file.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  return file;
}

SafeTensors ReadSafeTensors(const std::string& path) {
  return ParseSafeTensors(ReadFile(path), path);
}

}  // namespace oqat::artifacts
