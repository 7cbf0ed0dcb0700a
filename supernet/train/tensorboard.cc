#include "supernet/train/tensorboard.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace oqat::supernet {
namespace {

constexpr std::array<std::uint32_t, 256> CrcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0u);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = CrcTable();

/// A CRC of data that holds CRCs is weak, so TFRecord stores them rotated and shifted.
std::uint32_t MaskedCrc(std::string_view bytes) {
  return std::rotr(Crc32c(bytes), 15) + 0xA282EAD8u;
}

/// The low `bytes` bytes of `value`, little-endian on any machine.
std::string Fixed(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string Varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>(value | 0x80);
  return text + static_cast<char>(value);
}

// Protocol buffer fields: the key is (field << 3) | wire type, which is 0 for a varint, 1 for eight
// bytes, 2 for a length and as many bytes, 5 for four bytes.
std::string VarintField(int field, std::int64_t value) {
  return Varint(field << 3) + Varint(static_cast<std::uint64_t>(value));
}
std::string DoubleField(int field, double value) {
  return Varint(field << 3 | 1) + Fixed(std::bit_cast<std::uint64_t>(value), 8);
}
std::string BytesField(int field, const std::string& value) {
  return Varint(field << 3 | 2) + Varint(value.size()) + value;
}
std::string FloatField(int field, float value) {
  return Varint(field << 3 | 5) + Fixed(std::bit_cast<std::uint32_t>(value), 4);
}

// tensorflow/core/util/event.proto and framework/summary.proto: the fields that are used here.
constexpr int kEventWallTime = 1, kEventStep = 2, kEventFileVersion = 3, kEventSummary = 5,
              kEventSessionLog = 7;
constexpr int kSummaryValue = 1;
constexpr int kValueTag = 1, kValueSimpleValue = 2;
constexpr int kSessionLogStatus = 1, kSessionLogStart = 1;

}  // namespace

std::uint32_t Crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes)
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xFF];
  return ~crc;
}

EventFile::EventFile(const std::string& folder, double wall_time, const std::string& host) {
  char name[64];
  std::snprintf(name, sizeof name, "events.out.tfevents.%010" PRId64 ".",
                static_cast<std::int64_t>(wall_time));
  const std::string first = (std::filesystem::path(folder) / (name + host)).string();
  // "x" refuses a file that is there: two starts may fall into one second.
  for (int attempt = 0; file_ == nullptr; ++attempt) {
    path_ = first + (attempt == 0 ? "" : "." + std::to_string(attempt));
    file_.reset(std::fopen(path_.c_str(), "wbx"));
    if (file_ == nullptr && errno != EEXIST) {
      throw Error(Code::kPermissionDenied, path_ + ": cannot be made: " + std::strerror(errno));
    }
  }
  Append(DoubleField(kEventWallTime, wall_time) + BytesField(kEventFileVersion, "brain.Event:2"));
}

void EventFile::Restart(double wall_time, std::int64_t step) {
  Append(DoubleField(kEventWallTime, wall_time) + VarintField(kEventStep, step) +
         BytesField(kEventSessionLog, VarintField(kSessionLogStatus, kSessionLogStart)));
}

void EventFile::Scalars(double wall_time, std::int64_t step,
                        const std::vector<std::pair<std::string, double>>& values) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    summary +=
        BytesField(kSummaryValue, BytesField(kValueTag, tag) +
                                      FloatField(kValueSimpleValue, static_cast<float>(value)));
  }
  Append(DoubleField(kEventWallTime, wall_time) + VarintField(kEventStep, step) +
         BytesField(kEventSummary, summary));
}

void EventFile::Append(std::string_view event) {
  const std::string length = Fixed(event.size(), 8);
  std::string record = length + Fixed(MaskedCrc(length), 4);
  record += event;
  record += Fixed(MaskedCrc(event), 4);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0) {
    throw Error(Code::kResourceExhausted, path_ + ": cannot be written: " + std::strerror(errno));
  }
}

}  // namespace oqat::supernet
