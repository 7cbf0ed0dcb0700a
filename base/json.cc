#include "base/json.h"

#include <algorithm>

namespace oqat {
namespace {

std::string Shown(const Json& value) {
  // Bad UTF-8 is replaced, and what is shown stays one short line.
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 77) + "...";
  return text;
}

std::string Range(std::int64_t low, std::int64_t high) {
  return "an integer from " + std::to_string(low) + " to " + std::to_string(high);
}

std::int64_t CheckedInt(const Json& value, const std::string& path, std::int64_t low,
                        std::int64_t high) {
  const bool is_integer =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (!is_integer || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) {
    throw InvalidField(path, Shown(value), Range(low, high));
  }
  return value.get<std::int64_t>();
}

}  // namespace

Json ParseJson(std::string_view text, std::string_view where) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw Error(Code::kInvalidArgument,
                std::string(where) + ": malformed JSON at byte " + std::to_string(e.byte));
  } catch (const Json::out_of_range&) {
    throw Error(Code::kInvalidArgument,
                std::string(where) + ": malformed JSON: a number does not fit in a double");
  }
}

JsonReader::JsonReader(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) {
    throw InvalidField(path_.empty() ? "JSON" : path_, Shown(object_), "an object {...}");
  }
}

std::string JsonReader::PathOf(const std::string& field) const {
  return path_.empty() ? field : path_ + "." + field;
}

bool JsonReader::Has(const std::string& field) {
  known_.push_back(field);
  return object_.contains(field);
}

const Json& JsonReader::Get(const std::string& field) {
  if (!Has(field)) {
    throw Error(Code::kInvalidArgument, PathOf(field) + ": is missing; it is required");
  }
  return object_.at(field);
}

std::int64_t JsonReader::Int(const std::string& field, std::int64_t low, std::int64_t high) {
  return CheckedInt(Get(field), PathOf(field), low, high);
}

std::int64_t JsonReader::Int(const std::string& field, std::int64_t low, std::int64_t high,
                             std::int64_t otherwise) {
  return Has(field) ? Int(field, low, high) : otherwise;
}

double JsonReader::Number(const std::string& field, double low, double high) {
  const Json& value = Get(field);
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high)) {
    throw InvalidField(PathOf(field), Shown(value),
                       "a number from " + Json(low).dump() + " to " + Json(high).dump());
  }
  return value.get<double>();
}

double JsonReader::Number(const std::string& field, double low, double high, double otherwise) {
  return Has(field) ? Number(field, low, high) : otherwise;
}

bool JsonReader::Bool(const std::string& field) {
  const Json& value = Get(field);
  if (!value.is_boolean()) throw InvalidField(PathOf(field), Shown(value), "true or false");
  return value.get<bool>();
}

bool JsonReader::Bool(const std::string& field, bool otherwise) {
  return Has(field) ? Bool(field) : otherwise;
}

std::string JsonReader::String(const std::string& field) {
  const Json& value = Get(field);
  if (!value.is_string()) throw InvalidField(PathOf(field), Shown(value), "a string");
  return value.get<std::string>();
}

std::string JsonReader::String(const std::string& field, const std::string& otherwise) {
  return Has(field) ? String(field) : otherwise;
}

std::vector<int> JsonReader::IntList(const std::string& field, std::int64_t low,
                                     std::int64_t high) {
  const Json& value = Get(field);
  if (!value.is_array()) throw InvalidField(PathOf(field), Shown(value), "an array of integers");
  std::vector<int> list;
  list.reserve(value.size());
  for (const Json& item : value) {
    list.push_back(static_cast<int>(
        CheckedInt(item, PathOf(field) + "[" + std::to_string(list.size()) + "]", low, high)));
  }
  return list;
}

void JsonReader::Finish() {
  for (const auto& [field, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), field) != known_.end()) continue;
    std::string names;
    for (const std::string& name : known_) {
      const std::string quoted = "\"" + name + "\"";
      if (names.find(quoted) == std::string::npos) names += (names.empty() ? "" : ", ") + quoted;
    }
    throw InvalidField(PathOf(field), "an unknown field", names);
  }
}

}  // namespace oqat
