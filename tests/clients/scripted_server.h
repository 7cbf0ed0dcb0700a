#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "oqat/v1/model_service.grpc.pb.h"
#include "oqat/v1/search_service.grpc.pb.h"

namespace oqat::testing {

/// A coordinator that says what a test wants, on a port of its own. Good for what the real one
/// would do rarely: streams that break, pages of one, refusals. Knows no search by itself.
class ScriptedServer {
 public:
  ScriptedServer();
  ~ScriptedServer();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  using Writer = grpc::ServerWriter<v1::SearchEvent>;

  // Set before the first call. Unset ones answer NOT_FOUND.
  std::function<grpc::Status(const v1::CreateSearchRequest&, v1::Search*)> create;
  std::function<grpc::Status(const std::string& name, v1::Search*)> get;
  std::function<grpc::Status(const std::string& name, v1::Search*)> cancel;
  std::function<grpc::Status(grpc::ServerContext*, const v1::WatchSearchRequest&, Writer*)> watch;
  std::function<grpc::Status(const std::string& name, v1::Front*)> front;
  std::function<grpc::Status(const v1::ListEvaluationsRequest&, v1::ListEvaluationsResponse*)>
      evaluations;
  std::function<grpc::Status(const v1::ListSearchesRequest&, v1::ListSearchesResponse*)> list;

  /// UploadModel collects here: sha256 -> bytes. `refuse_upload` ends it after the first message.
  std::map<std::string, std::string> uploaded;
  v1::Model uploaded_model;
  std::atomic<int> uploads{0};
  grpc::Status refuse_upload;

 private:
  class Searches;
  class Models;
  std::unique_ptr<Searches> searches_;
  std::unique_ptr<Models> models_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace oqat::testing
