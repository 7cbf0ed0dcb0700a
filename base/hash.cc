#include "base/hash.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <vector>

#include "base/error.h"

#if OQAT_WITH_OPENSSL
#include <openssl/evp.h>
#else
#include "base/sha256.h"
#endif

namespace oqat {

namespace {

std::string Hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace

#if OQAT_WITH_OPENSSL

struct Sha256::Impl {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  if (!impl_->context || EVP_DigestInit_ex(impl_->context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error(Code::kInternal, "OpenSSL cannot start a SHA-256");
  }
}

void Sha256::Update(const void* data, std::size_t size) {
  EVP_DigestUpdate(impl_->context.get(), data, size);
}

std::string Sha256::HexDigest() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(impl_->context.get(), digest, &size);
  return Hex({digest, size});
}

#else

struct Sha256::Impl {
  PortableSha256 hash;
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
void Sha256::Update(const void* data, std::size_t size) { impl_->hash.Update(data, size); }
std::string Sha256::HexDigest() { return Hex(impl_->hash.Digest()); }

#endif

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

std::string Sha256Hex(std::string_view data) {
  Sha256 hash;
  hash.Update(data);
  return hash.HexDigest();
}

std::string Sha256HexOfFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(Code::kNotFound, path + ": cannot be opened for reading");
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.Update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) throw Error(Code::kInternal, path + ": reading failed");
  return hash.HexDigest();
}

bool IsSha256Hex(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace oqat
