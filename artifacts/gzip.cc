#include "artifacts/gzip.h"

#include <memory>
#include <vector>

#include "artifacts/datasets/decode.h"
#include "base/error.h"

#if OQAT_WITH_ZLIB
#include <zlib.h>
#endif

namespace oqat::artifacts {

bool IsGzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

#if OQAT_WITH_ZLIB
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30;  // unpacked
constexpr int kGzipWindow = 16 + MAX_WBITS;

Bytef* Input(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

std::string Gunzip(std::string_view bytes, std::string_view where) {
  const auto broken = [&](std::string_view value, std::string_view allowed) {
    return Error(Code::kDataLoss,
                 InvalidField(std::string(where) + ": gzip data", value, allowed).what());
  };
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) {
    throw Error(Code::kInternal, "zlib cannot start a decompression");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &inflateEnd);
  stream.next_in = Input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string plain;
  std::vector<char> piece(std::size_t{1} << 16);
  int result = Z_OK;
  while (result != Z_STREAM_END || stream.avail_in > 0) {
    if (result == Z_STREAM_END) inflateReset(&stream);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) {
      throw broken(stream.msg != nullptr ? stream.msg : "an early end", "a complete gzip file");
    }
    plain.append(piece.data(), piece.size() - stream.avail_out);
    if (plain.size() > kMaxBytes) {
      throw broken("more", "at most " + std::to_string(kMaxBytes) + " bytes");
    }
  }
  return plain;
}

std::string Gzip(std::string_view bytes, std::string_view) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    throw Error(Code::kInternal, "zlib cannot start a compression");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &deflateEnd);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = Input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
    throw Error(Code::kInternal, "zlib cannot compress");
  }
  packed.resize(stream.total_out);
  return packed;
}
#else
std::string Gunzip(std::string_view, std::string_view where) {
  throw LibraryMissing(where, "zlib");
}
std::string Gzip(std::string_view, std::string_view where) { throw LibraryMissing(where, "zlib"); }
#endif

}  // namespace oqat::artifacts
