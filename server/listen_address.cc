// SPDX-License-Identifier: Apache-2.0
#include "server/listen_address.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/error.h"

namespace oqat::server {

std::string ListenAddress::Text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

ListenAddress ParseListenAddress(const std::string& text, std::string_view field) {
  const std::size_t colon = text.rfind(':');
  const std::string digits = colon == std::string::npos ? "" : text.substr(colon + 1);
  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool numeric =
      !digits.empty() && digits.size() <= 5 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool good_host = !host.empty() && (bracketed || host.find(':') == std::string::npos);
  if (!good_host || !numeric || std::stoi(digits) > 65535) {
    throw InvalidField(field, "\"" + text + "\"",
                       "HOST:PORT, for example 127.0.0.1:50051; port 0 takes any that is free");
  }
  return {host, std::stoi(digits)};
}

void CheckFree(const ListenAddress& address) {
  namespace ip = boost::asio::ip;
  boost::asio::io_context context;
  boost::system::error_code error;
  ip::tcp::resolver resolver(context);
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      ip::resolver_base::passive, error);
  if (!error) {
    // As gRPC will: an address in TIME_WAIT is free, one with a listener is not.
    ip::tcp::acceptor acceptor(context);
    const ip::tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(ip::tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(1, error);
  }
  if (error) {
    throw Error(Code::kUnavailable,
                "--listen: cannot listen on " + address.Text() + ": " + error.message());
  }
}

}  // namespace oqat::server
