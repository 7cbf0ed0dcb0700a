#include "tests/supernet/train/event_reader.h"

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

namespace oqat::supernet {
namespace {

std::uint32_t BitwiseCrc(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const unsigned char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool odd = ((crc ^ (byte >> bit)) & 1) != 0;
      crc = crc >> 1;
      if (odd) crc ^= 0x82F63B78;
    }
  }
  return crc ^ 0xFFFFFFFF;
}

void Demand(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

template <typename T>
T Number(const std::string& bytes, std::size_t at) {
  Demand(at + sizeof(T) <= bytes.size(), "the end comes too early");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void CheckCrc(const std::string& bytes, std::uint32_t masked) {
  const std::uint32_t rotated = masked - 0xA282EAD8;
  Demand(BitwiseCrc(bytes) == ((rotated << 15) | (rotated >> 17)), "a checksum is wrong");
}

struct Field {
  int number = 0;
  int wire_type = 0;
  std::uint64_t varint = 0;
  std::string bytes;  ///< of the other wire types
};

std::uint64_t ReadVarint(const std::string& message, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    Demand(shift < 64, "a varint is too long");
    const auto byte = Number<std::uint8_t>(message, at++);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

void ForEachField(const std::string& message, const std::function<void(const Field&)>& visit) {
  for (std::size_t at = 0; at < message.size();) {
    const std::uint64_t key = ReadVarint(message, at);
    Field field;
    field.number = static_cast<int>(key / 8);
    field.wire_type = static_cast<int>(key % 8);
    if (field.wire_type == 0) {
      field.varint = ReadVarint(message, at);
    } else {
      std::size_t size = 0;
      switch (field.wire_type) {
        case 1: size = 8; break;
        case 2: size = ReadVarint(message, at); break;
        case 5: size = 4; break;
        default: throw std::runtime_error("unknown wire type");
      }
      Demand(size <= message.size() - at, "a field is longer than its message");
      field.bytes = message.substr(at, size);
      at += size;
    }
    visit(field);
  }
}

std::pair<std::string, float> ReadValue(const std::string& message) {
  std::pair<std::string, float> value;
  ForEachField(message, [&](const Field& field) {
    if (field.number == 1 && field.wire_type == 2) value.first = field.bytes;
    if (field.number == 2 && field.wire_type == 5) value.second = Number<float>(field.bytes, 0);
  });
  return value;
}

ReadEvent ParseEvent(const std::string& message) {
  ReadEvent event;
  ForEachField(message, [&](const Field& field) {
    switch (field.number * 10 + field.wire_type) {
      case 11: event.wall_time = Number<double>(field.bytes, 0); break;
      case 20: event.step = static_cast<std::int64_t>(field.varint); break;
      case 32: event.file_version = field.bytes; break;
      case 52:
        ForEachField(field.bytes, [&](const Field& value) {
          Demand(value.number == 1 && value.wire_type == 2, "unknown field of a summary");
          event.scalars.push_back(ReadValue(value.bytes));
        });
        break;
      case 72:
        ForEachField(field.bytes, [&](const Field& status) {
          event.session_start = status.number == 1 && status.wire_type == 0 && status.varint == 1;
        });
        break;
      default: throw std::runtime_error("unknown field of an event");
    }
  });
  return event;
}

}  // namespace

std::vector<ReadEvent> ReadEvents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Demand(file.good(), "cannot be opened");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<ReadEvent> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto length = Number<std::uint64_t>(bytes, at);
    CheckCrc(bytes.substr(at, 8), Number<std::uint32_t>(bytes, at + 8));
    Demand(length <= bytes.size() - at - 12, "a record is longer than the file");
    const std::string event = bytes.substr(at + 12, length);
    CheckCrc(event, Number<std::uint32_t>(bytes, at + 12 + length));
    events.push_back(ParseEvent(event));
    at += 12 + length + 4;
  }
  return events;
}

}  // namespace oqat::supernet
