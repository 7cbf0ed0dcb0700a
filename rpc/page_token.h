#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace oqat::rpc {

/// An opaque token (URL-safe base64 of JSON) that says where a list goes on. `kind` names the list,
/// its parent included, so that a token of another list is refused.
std::string EncodePageToken(std::string_view kind, const Json& position);

/// The position. Throws Error INVALID_ARGUMENT for anything EncodePageToken did not make for
/// `kind`.
Json DecodePageToken(std::string_view kind, std::string_view token);

/// The page size asked for: 0 gives `otherwise`, more than 1000 is 1000. Throws Error
/// INVALID_ARGUMENT for negative ones.
int PageSize(int asked, int otherwise);

}  // namespace oqat::rpc
