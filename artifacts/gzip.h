#pragma once
// Internal to artifacts/: gzip by zlib.

#include <string>
#include <string_view>

namespace oqat::artifacts {

/// True if `bytes` begin as a gzip file does.
bool IsGzip(std::string_view bytes);

/// Unpacks a gzip file of one member or more, at most 1 GiB. Throws Error DATA_LOSS naming `where`,
/// LibraryMissing where the build lacks zlib.
std::string Gunzip(std::string_view bytes, std::string_view where);

/// Packs as well as zlib can; equal content gives equal bytes with one version of zlib. Throws
/// LibraryMissing naming `where`.
std::string Gzip(std::string_view bytes, std::string_view where);

}  // namespace oqat::artifacts
