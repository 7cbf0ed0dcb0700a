#include "workers/grpc_artifact_source.h"

#include "base/error.h"
#include "rpc/crc.h"
#include "rpc/status.h"

namespace oqat::workers {

GrpcArtifactSource::GrpcArtifactSource(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::ModelService::NewStub(channel)) {}

void GrpcArtifactSource::Cancel() {
  const std::lock_guard lock(mutex_);
  if (active_ != nullptr) active_->TryCancel();
}

void GrpcArtifactSource::Read(const std::string& sha256, std::uint64_t offset,
                              const std::function<bool(std::string_view)>& sink) {
  grpc::ClientContext context;
  // Cancel() must not reach a context that is gone.
  struct Registration {
    GrpcArtifactSource& source;
    Registration(GrpcArtifactSource& s, grpc::ClientContext& c) : source(s) {
      const std::lock_guard lock(source.mutex_);
      source.active_ = &c;
    }
    ~Registration() {
      const std::lock_guard lock(source.mutex_);
      source.active_ = nullptr;
    }
  } registration(*this, context);

  v1::DownloadArtifactRequest request;
  request.set_sha256(sha256);
  request.set_offset(offset);
  const auto reader = stub_->DownloadArtifact(&context, request);
  // However we leave, the call must be finished before the context is destroyed.
  const auto abandon = [&] {
    context.TryCancel();
    (void)reader->Finish();
  };
  v1::ArtifactChunk chunk;
  while (reader->Read(&chunk)) {
    bool more = false;
    try {
      if (chunk.sha256() != sha256 || chunk.offset() != offset) {
        throw Error(Code::kDataLoss, "artifact " + sha256 + ": a chunk of " + chunk.sha256() +
                                         " at " + std::to_string(chunk.offset()) +
                                         " came where offset " + std::to_string(offset) +
                                         " was expected");
      }
      if (rpc::Crc32(chunk.data()) != chunk.crc32()) {
        throw Error(Code::kDataLoss, "artifact " + sha256 + ": the chunk at offset " +
                                         std::to_string(offset) + " does not have its crc32");
      }
      offset += chunk.data().size();
      more = sink(chunk.data());
    } catch (...) {
      abandon();
      throw;
    }
    if (!more) {
      abandon();
      return;
    }
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) throw rpc::FromStatus(status);
}

}  // namespace oqat::workers
