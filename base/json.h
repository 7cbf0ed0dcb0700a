#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace oqat {

using Json = nlohmann::json;

/// Parses text. Throws Error INVALID_ARGUMENT "WHERE: malformed JSON at byte N: ...".
Json ParseJson(std::string_view text, std::string_view where);

/// Reads one JSON object strictly: every getter names the field it complains of as PATH.FIELD, and
/// Finish() refuses fields that nobody asked for, listing those that exist.
class JsonReader {
 public:
  /// `object` must outlive the reader. Throws Error INVALID_ARGUMENT if it is not an object.
  JsonReader(const Json& object, std::string path);

  bool Has(const std::string& field);
  const Json& Get(const std::string& field);

  /// Integers must be JSON integers in [low, high].
  std::int64_t Int(const std::string& field, std::int64_t low, std::int64_t high);
  std::int64_t Int(const std::string& field, std::int64_t low, std::int64_t high,
                   std::int64_t otherwise);
  double Number(const std::string& field, double low, double high);
  double Number(const std::string& field, double low, double high, double otherwise);
  bool Bool(const std::string& field);
  bool Bool(const std::string& field, bool otherwise);
  std::string String(const std::string& field);
  std::string String(const std::string& field, const std::string& otherwise);
  std::vector<int> IntList(const std::string& field, std::int64_t low, std::int64_t high);

  /// Call last. Throws Error INVALID_ARGUMENT naming an unknown field.
  void Finish();

  std::string PathOf(const std::string& field) const;

 private:
  const Json& object_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace oqat
