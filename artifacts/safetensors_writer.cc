#include <algorithm>
#include <cstring>
#include <utility>

#include "artifacts/safetensors.h"
#include "artifacts/safetensors_internal.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"

namespace oqat::artifacts {
namespace {

using Entry = std::pair<const std::string*, const TensorView*>;

/// Wide elements first, then by name: with no padding between them, every tensor is aligned to its
/// element size, as the reference writer does it.
std::vector<Entry> DataOrder(const SafeTensorsView& file) {
  std::vector<Entry> order;
  for (const auto& [name, tensor] : file.tensors) {
    const std::optional<std::int64_t> count = CheckedNumel(tensor.shape, SizeOf(tensor.dtype));
    if (!count ||
        static_cast<std::uint64_t>(*count) * SizeOf(tensor.dtype) != tensor.bytes.size()) {
      throw InvalidField(Shown(name), std::to_string(tensor.bytes.size()) + " bytes",
                         "the size of its shape " + Json(tensor.shape).dump());
    }
    if (name == kMetadataKey || tensor.shape.size() > kMaxRank) {
      throw InvalidField(Shown(name), "rank " + std::to_string(tensor.shape.size()),
                         "rank up to 8 and any name but __metadata__");
    }
    order.emplace_back(&name, &tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const Entry& a, const Entry& b) {
    return SizeOf(a.second->dtype) > SizeOf(b.second->dtype);
  });
  return order;
}

/// What comes before the data: length and text of the header.
std::string Head(const SafeTensorsView& file, const std::vector<Entry>& order) {
  std::map<std::string_view, std::size_t> begins;
  std::size_t size = 0;
  for (const auto& [name, tensor] : order) {
    begins[*name] = size;
    size += tensor->bytes.size();
  }
  std::string header = "{";
  try {
    if (!file.metadata.empty()) header += "\"__metadata__\":" + Json(file.metadata).dump();
    for (const auto& [name, tensor] : file.tensors) {
      if (header.size() > 1) header += ",";
      const std::size_t begin = begins[name];
      header += Json(name).dump() + ":{\"dtype\":\"" + std::string(DTypeName(tensor.dtype)) +
                "\",\"shape\":" + Json(tensor.shape).dump() + ",\"data_offsets\":[" +
                std::to_string(begin) + "," + std::to_string(begin + tensor.bytes.size()) + "]}";
    }
  } catch (const Json::type_error&) {
    throw InvalidField("header", "a name or metadata entry with broken text", "UTF-8");
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');

  std::string head(8, '\0');
  const std::uint64_t header_bytes = header.size();
  std::memcpy(head.data(), &header_bytes, 8);
  return head + header;
}

SafeTensorsView ViewOf(const SafeTensors& file) {
  SafeTensorsView view{file.metadata, {}};
  for (const auto& [name, tensor] : file.tensors) {
    view.tensors.emplace(name, TensorView{tensor.dtype, tensor.shape, tensor.bytes});
  }
  return view;
}

}  // namespace

std::string SerializeSafeTensorsView(const SafeTensorsView& file) {
  const std::vector<Entry> order = DataOrder(file);
  std::string bytes = Head(file, order);
  std::size_t size = bytes.size();
  for (const auto& [name, tensor] : order) size += tensor->bytes.size();
  bytes.reserve(size);
  for (const auto& [name, tensor] : order) {
    bytes.append(reinterpret_cast<const char*>(tensor->bytes.data()), tensor->bytes.size());
  }
  return bytes;
}

std::string WriteSafeTensorsView(const std::string& path, const SafeTensorsView& file) {
  const std::vector<Entry> order = DataOrder(file);
  const std::string head = Head(file, order);
  AtomicFile out(path);
  Sha256 hash;
  const auto append = [&](const void* data, std::size_t size) {
    out.Append(data, size);
    hash.Update(data, size);
  };
  append(head.data(), head.size());
  for (const auto& [name, tensor] : order) append(tensor->bytes.data(), tensor->bytes.size());
  out.Commit();
  return hash.HexDigest();
}

std::string SerializeSafeTensors(const SafeTensors& file) {
  return SerializeSafeTensorsView(ViewOf(file));
}

void WriteSafeTensors(const std::string& path, const SafeTensors& file) {
  WriteSafeTensorsView(path, ViewOf(file));
}

}  // namespace oqat::artifacts
