#include "artifacts/json_header.h"

#include <algorithm>

namespace oqat::artifacts {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{16} << 20;
constexpr int kMaxDepth = 64;

// JSON values are copied and printed recursively: depth is checked before anything is built.
int DepthOf(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Json ParseHeader(const SafeTensors& file, std::string_view format, std::string_view where) {
  const std::string place = std::string(where) + ": header";
  const auto found = file.metadata.find("oqat");
  if (found == file.metadata.end()) {
    throw Error(Code::kInvalidArgument, std::string(where) +
                                            ": __metadata__.oqat: is missing; a file of format " +
                                            std::string(format) + " has it");
  }
  const std::string& text = found->second;
  if (text.size() > kMaxHeaderBytes) {
    throw InvalidField(place, std::to_string(text.size()) + " bytes",
                       "at most " + std::to_string(kMaxHeaderBytes));
  }
  if (DepthOf(text) > kMaxDepth) {
    throw InvalidField(place, "a depth of " + std::to_string(DepthOf(text)),
                       "at most " + std::to_string(kMaxDepth));
  }
  Json header = ParseJson(text, place);
  JsonReader reader(header, place);
  const std::string got = reader.String("format");
  if (got != format) throw InvalidField(reader.PathOf("format"), Json(got).dump(), format);
  return header;
}

std::string HeaderText(const Json& header) {
  try {
    return header.dump();
  } catch (const Json::exception&) {
    throw InvalidField("header", "broken text", "UTF-8");
  }
}

}  // namespace oqat::artifacts
