// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace oqat::server {

struct ListenAddress {
  std::string host;  ///< a name or an address; of IPv6 without brackets
  int port = 0;      ///< 0: any that is free

  std::string Text() const;  ///< HOST:PORT or [IPV6]:PORT
};

/// Throws Error INVALID_ARGUMENT naming `field`.
ListenAddress ParseListenAddress(const std::string& text, std::string_view field);

/// Throws Error UNAVAILABLE naming the address if nobody could listen there now.
void CheckFree(const ListenAddress& address);

}  // namespace oqat::server
