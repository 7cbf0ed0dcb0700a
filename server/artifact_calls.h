// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/support/server_callback.h>

#include "oqat/v1/model_service.pb.h"
#include "server/model_service.h"

namespace oqat::server {

/// Answers one UploadModel: the model first, then its files in chunks. Nothing of it counts before
/// all of it is checked.
grpc::ServerReadReactor<v1::UploadModelRequest>* StartUpload(const ModelServiceParts& parts,
                                                             v1::Model* response);

/// Answers one DownloadArtifact: a served model's file from an offset on, in chunks.
grpc::ServerWriteReactor<v1::ArtifactChunk>* StartDownload(
    const ModelServiceParts& parts, const v1::DownloadArtifactRequest& request);

}  // namespace oqat::server
