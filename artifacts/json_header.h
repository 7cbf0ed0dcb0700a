#pragma once
// Internal to artifacts/: the JSON header that our safetensors files carry.

#include <string>
#include <string_view>

#include "artifacts/safetensors.h"
#include "base/json.h"

namespace oqat::artifacts {

/// The metadata entry "oqat" of `file`, parsed: a JSON object whose "format" is `format`, at most
/// 16 MiB long and 64 levels deep. Throws Error INVALID_ARGUMENT naming `where` and the field.
Json ParseHeader(const SafeTensors& file, std::string_view format, std::string_view where);

/// `header` as the text of the metadata entry. Throws Error INVALID_ARGUMENT if it holds text that
/// is not UTF-8.
std::string HeaderText(const Json& header);

}  // namespace oqat::artifacts
