#include "tests/clients/scripted_server.h"

#include <grpcpp/server_builder.h>

#include "rpc/channel.h"
#include "rpc/crc.h"

namespace oqat::testing {
namespace {

template <typename Hook, typename... Arguments>
grpc::Status Answer(const Hook& hook, Arguments&&... arguments) {
  if (!hook) return {grpc::StatusCode::NOT_FOUND, "name: got \"x\"; allowed: nothing is scripted"};
  return hook(std::forward<Arguments>(arguments)...);
}

}  // namespace

class ScriptedServer::Searches : public v1::SearchService::Service {
 public:
  explicit Searches(ScriptedServer& script) : script_(script) {}

  grpc::Status CreateSearch(grpc::ServerContext*, const v1::CreateSearchRequest* request,
                            v1::Search* search) override {
    return Answer(script_.create, *request, search);
  }
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request,
                         v1::Search* search) override {
    return Answer(script_.get, request->name(), search);
  }
  grpc::Status CancelSearch(grpc::ServerContext*, const v1::CancelSearchRequest* request,
                            v1::Search* search) override {
    return Answer(script_.cancel, request->name(), search);
  }
  grpc::Status WatchSearch(grpc::ServerContext* context, const v1::WatchSearchRequest* request,
                           Writer* writer) override {
    return Answer(script_.watch, context, *request, writer);
  }
  grpc::Status GetFront(grpc::ServerContext*, const v1::GetFrontRequest* request,
                        v1::Front* front) override {
    return Answer(script_.front, request->name(), front);
  }
  grpc::Status ListEvaluations(grpc::ServerContext*, const v1::ListEvaluationsRequest* request,
                               v1::ListEvaluationsResponse* response) override {
    return Answer(script_.evaluations, *request, response);
  }
  grpc::Status ListSearches(grpc::ServerContext*, const v1::ListSearchesRequest* request,
                            v1::ListSearchesResponse* response) override {
    return Answer(script_.list, *request, response);
  }

 private:
  ScriptedServer& script_;
};

class ScriptedServer::Models : public v1::ModelService::Service {
 public:
  explicit Models(ScriptedServer& script) : script_(script) {}

  grpc::Status UploadModel(grpc::ServerContext*, grpc::ServerReader<v1::UploadModelRequest>* reader,
                           v1::Model* model) override {
    ++script_.uploads;
    v1::UploadModelRequest request;
    while (reader->Read(&request)) {
      if (!script_.refuse_upload.ok()) return script_.refuse_upload;
      if (request.has_model()) {
        script_.uploaded_model = request.model();
        continue;
      }
      const v1::ArtifactChunk& chunk = request.chunk();
      std::string& bytes = script_.uploaded[chunk.sha256()];
      if (chunk.offset() != bytes.size() || chunk.crc32() != rpc::Crc32(chunk.data())) {
        return {grpc::StatusCode::DATA_LOSS, "chunk: out of order or damaged"};
      }
      bytes += chunk.data();
    }
    *model = script_.uploaded_model;
    model->set_content_id(std::string(64, 'a'));
    return grpc::Status::OK;
  }

 private:
  ScriptedServer& script_;
};

ScriptedServer::ScriptedServer()
    : searches_(std::make_unique<Searches>(*this)), models_(std::make_unique<Models>(*this)) {
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(searches_.get());
  builder.RegisterService(models_.get());
  server_ = builder.BuildAndStart();
}

ScriptedServer::~ScriptedServer() {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

}  // namespace oqat::testing
