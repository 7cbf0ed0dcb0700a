#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace oqat {

/// Incremental SHA-256 (FIPS 180-4), by OpenSSL where the build has it, else by base/sha256.h. Not
/// thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, std::size_t size);
  void Update(std::string_view data) { Update(data.data(), data.size()); }

  /// 64 lower-case hex digits. Call once, last.
  std::string HexDigest();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 64 lower-case hex digits of `data`'s SHA-256.
std::string Sha256Hex(std::string_view data);

/// The same for a file's bytes, read in pieces. Throws Error (NOT_FOUND, INTERNAL) naming the path.
std::string Sha256HexOfFile(const std::string& path);

/// True if `text` is 64 lower-case hex digits: safe as a file name.
bool IsSha256Hex(std::string_view text);

}  // namespace oqat
