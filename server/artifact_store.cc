// SPDX-License-Identifier: Apache-2.0
#include "server/artifact_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "base/error.h"
#include "rpc/crc.h"

namespace oqat::server {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxArtifactBytes = std::uint64_t{8} << 30;

Error DiskError(const std::string& what, int code) {
  return Error(code == ENOSPC || code == EFBIG || code == EDQUOT ? Code::kResourceExhausted
                                                                 : Code::kInternal,
               what + ": " + std::strerror(code));
}

void MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw DiskError("cannot make folder " + path, error.value());
}

// A file or folder survives a lost power supply only after this.
void Flush(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw DiskError("cannot open " + path, errno);
  const int result = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  if (result != 0) throw DiskError("cannot flush " + path, code);
}

void CheckRef(const std::string& field, const artifacts::ArtifactRef& ref) {
  if (!IsSha256Hex(ref.sha256)) {
    throw InvalidField(field + ".sha256", "other text", "64 lower-case hex digits");
  }
  if (ref.size == 0 || ref.size > kMaxArtifactBytes) {
    throw InvalidField(field + ".size", std::to_string(ref.size),
                       "1 to " + std::to_string(kMaxArtifactBytes));
  }
}

void CheckDeclared(const artifacts::Model& model) {
  artifacts::CheckModelName(model.name, "model.name");
  if (model.checkpoints.empty()) {
    throw InvalidField("model.checkpoints", "none", "one or more, one per bit width");
  }
  std::string widths;
  for (const int bits : model.space.bits) {
    widths += (widths.empty() ? "" : ", ") + std::to_string(bits);
  }
  for (std::size_t i = 0; i < model.checkpoints.size(); ++i) {
    const std::string field = "model.checkpoints[" + std::to_string(i) + "]";
    const artifacts::CheckpointRef& checkpoint = model.checkpoints[i];
    if (std::find(model.space.bits.begin(), model.space.bits.end(), checkpoint.bits) ==
        model.space.bits.end()) {
      throw InvalidField(field + ".bits", std::to_string(checkpoint.bits), widths);
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (model.checkpoints[j].bits == checkpoint.bits) {
        throw InvalidField(field + ".bits", std::to_string(checkpoint.bits) + " again",
                           "one checkpoint per bit width");
      }
    }
    CheckRef(field + ".file", checkpoint.file);
  }
  CheckRef("model.evaluation_set", model.evaluation_set);
}

}  // namespace

ArtifactStore::ArtifactStore(std::string data_dir)
    : artifacts_(data_dir + "/artifacts"), uploads_(data_dir + "/uploads") {
  MakeFolder(artifacts_);
  std::error_code error;
  fs::remove_all(uploads_, error);
  if (error) throw DiskError("cannot empty " + uploads_, error.value());
  MakeFolder(uploads_);
}

bool ArtifactStore::Has(const artifacts::ArtifactRef& ref) const {
  std::error_code error;
  return fs::file_size(PathOf(ref.sha256), error) == ref.size && !error;
}

void ArtifactStore::Sweep(const std::set<std::string>& referenced) const {
  for (const fs::directory_entry& entry : fs::directory_iterator(artifacts_)) {
    if (!referenced.contains(entry.path().filename().string())) fs::remove_all(entry.path());
  }
}

void ArtifactStore::Remove(const std::string& sha256) const {
  std::error_code ignored;  // what stays is swept at the next start
  fs::remove(PathOf(sha256), ignored);
}

Upload::Upload(const ArtifactStore& store, artifacts::Model model) : store_(store) {
  CheckDeclared(model);
  served_.content_id = model.ContentId();
  served_.model = std::move(model);
  const auto add = [this](std::string label, const artifacts::ArtifactRef& ref) {
    const bool twice = std::any_of(files_.begin(), files_.end(),
                                   [&](const File& file) { return file.ref.sha256 == ref.sha256; });
    if (!twice) files_.push_back({std::move(label), ref, 0, false});
  };
  for (const artifacts::CheckpointRef& checkpoint : served_.model.checkpoints) {
    add("checkpoint b" + std::to_string(checkpoint.bits), checkpoint.file);
  }
  add("evaluation set", served_.model.evaluation_set);
  std::string pattern = store.uploads_dir() + "/" + served_.model.name + "-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw DiskError("cannot make a folder in " + store.uploads_dir(), errno);
  }
  folder_ = pattern;
}

Upload::~Upload() {
  out_.close();
  std::error_code ignored;  // what stays is removed at the next start
  fs::remove_all(folder_, ignored);
}

void Upload::Append(const std::string& sha256, std::uint64_t offset, std::string_view data,
                    std::uint32_t crc32) {
  if (current_ == files_.size()) {
    throw Error(Code::kInvalidArgument, "chunk: comes after the last file of the model");
  }
  File& file = files_[current_];
  if (sha256 != file.ref.sha256) {
    throw InvalidField("chunk.sha256", "another file",
                       file.label + ", which is " + file.ref.sha256 +
                           " (checkpoints come in the "
                           "model's order, then the evaluation set)");
  }
  if (data.empty() || data.size() > rpc::kMaxChunkBytes) {
    throw InvalidField("chunk.data", std::to_string(data.size()) + " bytes",
                       "1 to " + std::to_string(rpc::kMaxChunkBytes) + " bytes");
  }
  if (offset != file.received) {
    throw InvalidField("chunk.offset", std::to_string(offset),
                       std::to_string(file.received) + " (" + file.label + ", in order)");
  }
  if (data.size() > file.ref.size - file.received) {
    throw InvalidField(file.label, "more bytes than declared",
                       std::to_string(file.ref.size) + " bytes");
  }
  if (rpc::Crc32(data) != crc32) {
    throw Error(Code::kDataLoss, file.label + ": damaged on its way at byte " +
                                     std::to_string(offset) + " (crc32 differs)");
  }
  if (offset == 0) {
    out_.clear();
    out_.open(PathOf(file), std::ios::binary | std::ios::trunc);
    hash_ = Sha256();
  }
  errno = 0;
  if (!out_.write(data.data(), static_cast<std::streamsize>(data.size()))) {
    throw DiskError("cannot store " + file.label, errno == 0 ? EIO : errno);
  }
  hash_.Update(data);
  file.received += data.size();
  if (file.received == file.ref.size) CloseCurrent();
}

void Upload::CloseCurrent() {
  File& file = files_[current_];
  errno = 0;
  out_.close();
  if (!out_) throw DiskError("cannot store " + file.label, errno == 0 ? EIO : errno);
  const std::string sha256 = hash_.HexDigest();
  if (sha256 != file.ref.sha256) {
    throw Error(Code::kDataLoss, file.label + ": its sha256 is " + sha256 + ", but " +
                                     file.ref.sha256 + " was declared");
  }
  Flush(PathOf(file));
  file.complete = true;
  ++current_;
}

void Upload::Check() {
  for (const File& file : files_) {
    if (file.complete) continue;
    throw Error(Code::kDataLoss, file.label + ": " + std::to_string(file.received) + " of " +
                                     std::to_string(file.ref.size) + " bytes came");
  }
  CheckHeaders();
}

void Upload::CheckHeaders() {
  const artifacts::Model& model = served_.model;
  const auto reading = [this](const std::string& label, const std::string& sha256, auto read) {
    const std::string path = folder_ + "/" + sha256;
    try {
      return read(path);
    } catch (const Error& error) {
      // The sender knows the file by its role, not by our path.
      std::string text = error.what();
      for (auto at = text.find(path); at != std::string::npos; at = text.find(path)) {
        text.replace(at, path.size(), label);
      }
      throw Error(error.code(), text.find(label) == std::string::npos ? label + ": " + text : text);
    }
  };
  for (const artifacts::CheckpointRef& ref : model.checkpoints) {
    const std::string label = "checkpoint b" + std::to_string(ref.bits);
    const artifacts::Checkpoint checkpoint =
        reading(label, ref.file.sha256, artifacts::ReadCheckpoint);
    if (checkpoint.bits != ref.bits) {
      throw InvalidField(label + ": bits", std::to_string(checkpoint.bits),
                         std::to_string(ref.bits) + ", as the model declares");
    }
    if (!(checkpoint.space == model.space)) {
      throw InvalidField(label + ": space", "another one (" + checkpoint.space.name + ")",
                         "the model's (" + model.space.name + ")");
    }
  }
  const artifacts::EvaluationSet set =
      reading("evaluation set", model.evaluation_set.sha256, artifacts::ReadEvaluationSet);
  if (static_cast<int>(set.class_names.size()) != model.space.num_classes) {
    throw InvalidField("evaluation set: class_names",
                       std::to_string(set.class_names.size()) + " classes",
                       std::to_string(model.space.num_classes) + ", as the space has");
  }
  served_.calibration_images = set.calibration.count();
  served_.search_images = set.search.count();
  served_.test_images = set.test.count();
}

void Upload::Install() {
  for (const File& file : files_) {
    if (::rename(PathOf(file).c_str(), store_.PathOf(file.ref.sha256).c_str()) != 0) {
      throw DiskError("cannot store " + file.label, errno);
    }
  }
  Flush(store_.artifacts_dir());
}

}  // namespace oqat::server
