// SPDX-License-Identifier: Apache-2.0
#include "server/model_service.h"

#include "rpc/convert.h"
#include "rpc/names.h"
#include "rpc/page_token.h"
#include "server/artifact_calls.h"
#include "server/unary.h"

namespace oqat::server {
namespace {

constexpr int kModelsPerPage = 50;
constexpr const char* kModelList = "models";

}  // namespace

grpc::ServerReadReactor<v1::UploadModelRequest>* ModelService::UploadModel(
    grpc::CallbackServerContext* /*context*/, v1::Model* response) {
  return StartUpload(parts_, response);
}

grpc::ServerUnaryReactor* ModelService::GetModel(grpc::CallbackServerContext* context,
                                                 const v1::GetModelRequest* request,
                                                 v1::Model* response) {
  return AnswerOnLoop(context, parts_.loop, [=, this](const Finish& finish) {
    const auto model = parts_.models.Get(rpc::ParseModelName(request->name(), "name"), "name");
    *response = rpc::ToProto(model->model, model->create_time_ms);
    finish({});
  });
}

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsResponse* response) {
  return AnswerOnLoop(context, parts_.loop, [=, this](const Finish& finish) {
    const int size = rpc::PageSize(request->page_size(), kModelsPerPage);
    std::string after;
    if (!request->page_token().empty()) {
      const Json position = rpc::DecodePageToken(kModelList, request->page_token());
      if (!position.is_string()) {
        throw InvalidField("page_token", "a forged one", "next_page_token of an earlier answer");
      }
      after = position.get<std::string>();
    }
    const auto page = parts_.models.List(after, static_cast<std::size_t>(size) + 1);
    for (const ServedModelPtr& model : page) {
      if (response->models_size() == size) {
        response->set_next_page_token(
            rpc::EncodePageToken(kModelList, page[static_cast<std::size_t>(size) - 1]->model.name));
        break;
      }
      *response->add_models() = rpc::ToProto(model->model, model->create_time_ms);
    }
    finish({});
  });
}

grpc::ServerUnaryReactor* ModelService::DeleteModel(grpc::CallbackServerContext* context,
                                                    const v1::DeleteModelRequest* request,
                                                    google::protobuf::Empty* /*response*/) {
  return AnswerOnLoop(context, parts_.loop, [=, this](const Finish& finish) {
    parts_.models.Delete(rpc::ParseModelName(request->name(), "name"),
                         [finish](const std::optional<Error>& error, bool) { finish(error); });
  });
}

grpc::ServerWriteReactor<v1::ArtifactChunk>* ModelService::DownloadArtifact(
    grpc::CallbackServerContext* /*context*/, const v1::DownloadArtifactRequest* request) {
  return StartDownload(parts_, *request);
}

}  // namespace oqat::server
