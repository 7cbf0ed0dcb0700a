#include "rpc/page_token.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"

namespace oqat::rpc {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr int kMaxPageSize = 1000;
constexpr std::size_t kMaxTokenBytes = 1024;

std::string ToBase64(std::string_view bytes) {
  std::string text;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8) | static_cast<unsigned char>(c);
    bits += 8;
    for (; bits >= 6; bits -= 6) text += kAlphabet[(buffer >> (bits - 6)) & 63];
  }
  if (bits > 0) text += kAlphabet[(buffer << (6 - bits)) & 63];
  return text;
}

/// Empty for text that is not base64.
std::string FromBase64(std::string_view text) {
  std::string bytes;
  std::uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return "";
    buffer = (buffer << 6) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bytes += static_cast<char>((buffer >> (bits - 8)) & 255);
      bits -= 8;
    }
  }
  return bytes;
}

}  // namespace

std::string EncodePageToken(std::string_view kind, const Json& position) {
  return ToBase64(Json{{"kind", kind}, {"at", position}}.dump());
}

Json DecodePageToken(std::string_view kind, std::string_view token) {
  const Error error = InvalidField("page_token", "\"" + std::string(token.substr(0, 80)) + "\"",
                                   "a next_page_token of the same list");
  if (token.size() > kMaxTokenBytes) throw error;
  const Json json = Json::parse(FromBase64(token), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind") || !json.contains("at") || json["kind"] != kind) {
    throw error;
  }
  return json["at"];
}

int PageSize(int asked, int otherwise) {
  if (asked < 0) throw InvalidField("page_size", std::to_string(asked), "0 to 1000");
  return asked == 0 ? otherwise : std::min(asked, kMaxPageSize);
}

}  // namespace oqat::rpc
