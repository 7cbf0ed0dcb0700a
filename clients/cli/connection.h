#pragma once

#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <string_view>

#include "oqat/v1/model_service.grpc.pb.h"
#include "oqat/v1/search_service.grpc.pb.h"

namespace oqat::clients {

/// A coordinator, as the commands see it. Connects with the first call. Thread-safe.
class Connection {
 public:
  explicit Connection(const std::string& server);

  v1::SearchService::Stub& searches() { return *searches_; }
  v1::ModelService::Stub& models() { return *models_; }

  /// Throws the Error of a status that is not OK. An unreachable server is UNAVAILABLE and says
  /// what to do about it.
  void Check(const grpc::Status& status) const;

  /// One unary call with a deadline of 30 s: Call(&Stub::GetModel, stub, request).
  template <typename Stub, typename Request, typename Response>
  Response Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                Stub& stub, const Request& request) const {
    grpc::ClientContext context;
    SetDeadline(context);
    Response response;
    Check((stub.*method)(&context, request, &response));
    return response;
  }

 private:
  static void SetDeadline(grpc::ClientContext& context);

  std::string server_;
  std::unique_ptr<v1::SearchService::Stub> searches_;
  std::unique_ptr<v1::ModelService::Stub> models_;
};

/// "models/ID" and "searches/ID" of what a user typed: the id or the whole name. Throws Error
/// INVALID_ARGUMENT.
std::string ModelNameOf(std::string_view typed);
std::string SearchNameOf(std::string_view typed);

/// The id behind "models/" or "searches/".
std::string IdOf(std::string_view name);

}  // namespace oqat::clients
