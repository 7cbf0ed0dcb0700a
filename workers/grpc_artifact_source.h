#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <mutex>

#include "oqat/v1/model_service.grpc.pb.h"
#include "workers/artifact_cache.h"

namespace oqat::workers {

/// ModelService.DownloadArtifact as a source. One download at a time; Cancel from any thread.
class GrpcArtifactSource final : public ArtifactSource {
 public:
  explicit GrpcArtifactSource(const std::shared_ptr<grpc::Channel>& channel);

  void Read(const std::string& sha256, std::uint64_t offset,
            const std::function<bool(std::string_view)>& sink) override;

  /// Ends the running download at once, even if nothing arrives; Read throws CANCELLED.
  void Cancel();

 private:
  const std::unique_ptr<v1::ModelService::Stub> stub_;
  std::mutex mutex_;
  grpc::ClientContext* active_ = nullptr;  ///< guarded by mutex_
};

}  // namespace oqat::workers
