#include "rpc/crc.h"

#include <zlib.h>

namespace oqat::rpc {

std::uint32_t Crc32(std::string_view data) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

}  // namespace oqat::rpc
