#include "clients/cli/connection.h"

#include <chrono>

#include "base/error.h"
#include "rpc/channel.h"
#include "rpc/names.h"
#include "rpc/status.h"

namespace oqat::clients {
namespace {

constexpr auto kCallDeadline = std::chrono::seconds(30);

}  // namespace

Connection::Connection(const std::string& server) : server_(server) {
  const std::size_t colon = server.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == server.size()) {
    throw InvalidField("server", "\"" + server + "\"", "HOST:PORT");
  }
  const auto channel = rpc::MakeChannel(server);
  searches_ = v1::SearchService::NewStub(channel);
  models_ = v1::ModelService::NewStub(channel);
}

void Connection::Check(const grpc::Status& status) const {
  if (status.ok()) return;
  const Error error = rpc::FromStatus(status);
  if (error.code() == Code::kUnavailable || error.code() == Code::kDeadlineExceeded) {
    throw Error(error.code(), "server: " + server_ + " cannot be reached (" + error.what() +
                                  "); start oqat-server or give --server HOST:PORT");
  }
  throw error;
}

void Connection::SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
}

std::string ModelNameOf(std::string_view typed) {
  if (typed.starts_with("models/")) typed.remove_prefix(7);
  rpc::CheckId(typed, "model");
  return rpc::ModelName(typed);
}

std::string SearchNameOf(std::string_view typed) {
  if (typed.starts_with("searches/")) typed.remove_prefix(9);
  rpc::CheckId(typed, "search");
  return rpc::SearchName(typed);
}

std::string IdOf(std::string_view name) { return std::string(name.substr(name.find('/') + 1)); }

}  // namespace oqat::clients
