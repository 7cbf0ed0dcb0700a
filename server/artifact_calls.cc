// SPDX-License-Identifier: Apache-2.0
#include "server/artifact_calls.h"

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/hash.h"
#include "rpc/convert.h"
#include "rpc/crc.h"
#include "rpc/status.h"

namespace oqat::server {
namespace {

// State is the loop's; files are touched by one task on the file pool at a time. gRPC's callbacks
// only post. See WatchCall for the ownership.
class UploadCall : public grpc::ServerReadReactor<v1::UploadModelRequest>,
                   public std::enable_shared_from_this<UploadCall> {
 public:
  UploadCall(const ModelServiceParts& parts, v1::Model* response)
      : parts_(parts), response_(response) {}

  void Start() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    parts_.loop.Post([self = shared_from_this(), ok] {
      if (!self->ended_) ok ? self->OnMessage() : self->OnLast();
    });
  }

  void OnCancel() override {
    parts_.loop.Post([self = shared_from_this()] { self->End(grpc::Status::CANCELLED); });
  }

  void OnDone() override {
    parts_.loop.Post([self = std::move(self_)] {});
  }

 private:
  void OnMessage() {
    try {
      if (request_.has_model() && !upload_) return OnModel();
      if (request_.has_chunk() && upload_) return OnChunk();
      throw Error(Code::kInvalidArgument,
                  upload_ ? "UploadModelRequest.kind: chunks must follow the model"
                          : "UploadModelRequest.kind: the first message must be the model");
    } catch (...) {
      End(rpc::CurrentExceptionStatus());
    }
  }

  void OnModel() {
    const artifacts::Model model = rpc::FromProto(request_.model(), "model");
    parts_.files.Compute<std::shared_ptr<Upload>>(
        parts_.loop,
        [&artifacts = parts_.artifacts, model] {
          return std::make_shared<Upload>(artifacts, model);
        },
        [self = shared_from_this()](const std::optional<Error>& error,
                                    std::shared_ptr<Upload> upload) {
          if (error) return self->End(rpc::ToStatus(*error));
          self->upload_ = std::move(upload);
          try {
            const ServedModelPtr twin = self->parts_.models.CheckNew(self->upload_->served());
            if (twin) return self->Answer(twin);
          } catch (...) {
            return self->End(rpc::CurrentExceptionStatus());
          }
          self->ReadOn();
        });
  }

  void OnChunk() {
    parts_.files.Compute<bool>(
        parts_.loop,
        [self = shared_from_this(), upload = upload_] {
          const v1::ArtifactChunk& chunk = self->request_.chunk();
          upload->Append(chunk.sha256(), chunk.offset(), chunk.data(), chunk.crc32());
          return true;
        },
        [self = shared_from_this()](const std::optional<Error>& error, bool) {
          if (error) return self->End(rpc::ToStatus(*error));
          self->ReadOn();
        });
  }

  void OnLast() {
    if (!upload_) {
      return End(rpc::ToStatus(Error(Code::kInvalidArgument, "model: is missing")));
    }
    parts_.files.Compute<bool>(
        parts_.loop, [upload = upload_] { return upload->Check(), true; },
        [self = shared_from_this()](const std::optional<Error>& error, bool) {
          if (error) return self->End(rpc::ToStatus(*error));
          if (self->ended_) return;
          self->parts_.models.Add(self->upload_, [self](const std::optional<Error>& failure,
                                                        const ServedModelPtr& model) {
            failure ? self->End(rpc::ToStatus(*failure)) : self->Answer(model);
          });
        });
  }

  void ReadOn() {
    if (!ended_) StartRead(&request_);
  }

  void Answer(const ServedModelPtr& model) {
    if (ended_) return;
    *response_ = rpc::ToProto(model->model, model->create_time_ms);
    End(grpc::Status::OK);
  }

  void End(const grpc::Status& status) {
    if (ended_) return;
    ended_ = true;
    // Its folder goes before the answer: who was refused finds nothing left behind.
    parts_.files.Compute<bool>(
        parts_.loop,
        [upload = std::exchange(upload_, nullptr)]() mutable { return upload.reset(), true; },
        [self = shared_from_this(), status](const std::optional<Error>&, bool) {
          self->Finish(status);
        });
  }

  const ModelServiceParts parts_;
  v1::Model* const response_;
  std::shared_ptr<UploadCall> self_;  // until OnDone
  v1::UploadModelRequest request_;    // gRPC's while it reads
  std::shared_ptr<Upload> upload_;
  bool ended_ = false;
};

class DownloadCall : public grpc::ServerWriteReactor<v1::ArtifactChunk>,
                     public std::enable_shared_from_this<DownloadCall> {
 public:
  explicit DownloadCall(const ModelServiceParts& parts) : parts_(parts) {}

  void Start(const v1::DownloadArtifactRequest& request) {
    self_ = shared_from_this();
    parts_.loop.Post([self = self_, request] {
      try {
        self->Begin(request);
      } catch (...) {
        self->End(rpc::CurrentExceptionStatus());
      }
    });
  }

  void OnWriteDone(bool ok) override {
    parts_.loop.Post([self = shared_from_this(), ok] {
      ok ? self->Next() : self->End(grpc::Status::CANCELLED);
    });
  }

  void OnCancel() override {
    parts_.loop.Post([self = shared_from_this()] { self->End(grpc::Status::CANCELLED); });
  }

  void OnDone() override {
    parts_.loop.Post([self = std::move(self_)] {});
  }

 private:
  void Begin(const v1::DownloadArtifactRequest& request) {
    if (!IsSha256Hex(request.sha256())) {
      throw InvalidField("sha256", "other text", "64 lower-case hex digits");
    }
    if (!parts_.models.Serves(request.sha256(), size_)) {
      throw Error(Code::kNotFound, "sha256: no served model has the file " + request.sha256());
    }
    if (request.offset() > size_) {
      throw Error(Code::kOutOfRange, "offset: got " + std::to_string(request.offset()) +
                                         "; allowed: 0 to " + std::to_string(size_));
    }
    chunk_.set_sha256(request.sha256());
    offset_ = request.offset();
    Next();
  }

  void Next() {
    if (ended_) return;
    if (offset_ == size_) return End(grpc::Status::OK);
    parts_.files.Compute<bool>(
        parts_.loop, [self = shared_from_this()] { return self->ReadChunk(), true; },
        [self = shared_from_this()](const std::optional<Error>& error, bool) {
          if (error) return self->End(rpc::ToStatus(*error));
          if (!self->ended_) self->StartWrite(&self->chunk_);
        });
  }

  // On the file pool, alone: the next step is taken when this is done.
  void ReadChunk() {
    const std::string& path = parts_.artifacts.PathOf(chunk_.sha256());
    if (!file_.is_open()) {
      file_.open(path, std::ios::binary);
      file_.seekg(static_cast<std::streamoff>(offset_));
    }
    std::string& data = *chunk_.mutable_data();
    data.resize(std::min<std::uint64_t>(rpc::kMaxChunkBytes, size_ - offset_));
    if (!file_.read(data.data(), static_cast<std::streamsize>(data.size()))) {
      throw Error(Code::kDataLoss, "artifact " + chunk_.sha256() + " cannot be read at byte " +
                                       std::to_string(offset_));
    }
    chunk_.set_offset(offset_);
    chunk_.set_crc32(rpc::Crc32(data));
    offset_ += data.size();
  }

  void End(const grpc::Status& status) {
    if (ended_) return;
    ended_ = true;
    Finish(status);
  }

  const ModelServiceParts parts_;
  std::shared_ptr<DownloadCall> self_;  // until OnDone
  std::ifstream file_;
  std::uint64_t size_ = 0, offset_ = 0;
  v1::ArtifactChunk chunk_;  // gRPC's while it writes
  bool ended_ = false;
};

}  // namespace

grpc::ServerReadReactor<v1::UploadModelRequest>* StartUpload(const ModelServiceParts& parts,
                                                             v1::Model* response) {
  auto call = std::make_shared<UploadCall>(parts, response);
  call->Start();
  return call.get();
}

grpc::ServerWriteReactor<v1::ArtifactChunk>* StartDownload(
    const ModelServiceParts& parts, const v1::DownloadArtifactRequest& request) {
  auto call = std::make_shared<DownloadCall>(parts);
  call->Start(request);
  return call.get();
}

}  // namespace oqat::server
