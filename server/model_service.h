// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oqat/v1/model_service.grpc.pb.h"
#include "server/artifact_store.h"
#include "server/loop.h"
#include "server/model_catalog.h"

namespace oqat::server {

/// What uploads and downloads work with.
struct ModelServiceParts {
  Loop& loop;
  Pool& files;
  ModelCatalog& models;
  ArtifactStore& artifacts;
};

/// ModelService over a ModelCatalog.
class ModelService : public v1::ModelService::CallbackService {
 public:
  explicit ModelService(ModelServiceParts parts) : parts_(parts) {}

  grpc::ServerReadReactor<v1::UploadModelRequest>* UploadModel(grpc::CallbackServerContext* context,
                                                               v1::Model* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* context,
                                        const v1::DeleteModelRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::ArtifactChunk>* DownloadArtifact(
      grpc::CallbackServerContext* context, const v1::DownloadArtifactRequest* request) override;

 private:
  ModelServiceParts parts_;
};

}  // namespace oqat::server
