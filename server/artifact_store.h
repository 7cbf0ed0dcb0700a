// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/model.h"
#include "base/hash.h"
#include "server/served_model.h"

namespace oqat::server {

/// The files of a data directory: artifacts/SHA256, complete and checked, and uploads/, which are
/// not yet. Calls touch the disk, so they belong on the file pool (or before serving).
class ArtifactStore {
 public:
  /// Makes both folders and empties uploads/. Throws Error.
  explicit ArtifactStore(std::string data_dir);

  std::string PathOf(const std::string& sha256) const { return artifacts_ + "/" + sha256; }
  /// True if the file is there with this size.
  bool Has(const artifacts::ArtifactRef& ref) const;
  /// Removes every artifact that is not in `referenced`.
  void Sweep(const std::set<std::string>& referenced) const;
  void Remove(const std::string& sha256) const;

  const std::string& artifacts_dir() const { return artifacts_; }
  const std::string& uploads_dir() const { return uploads_; }

 private:
  std::string artifacts_;
  std::string uploads_;
};

/// One model on its way in. Used by one thread at a time. Destroyed, it leaves nothing in uploads/.
class Upload {
 public:
  /// Checks the declaration. Throws Error INVALID_ARGUMENT naming the field under "model".
  Upload(const ArtifactStore& store, artifacts::Model model);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  /// The next piece: the checkpoints in the model's order, then the evaluation set; a file that the
  /// model names twice comes once. Throws Error INVALID_ARGUMENT (out of order, too large),
  /// DATA_LOSS (damaged), RESOURCE_EXHAUSTED (full disk).
  void Append(const std::string& sha256, std::uint64_t offset, std::string_view data,
              std::uint32_t crc32);

  /// All pieces are here: checks every file against the declaration, its header included. Throws
  /// Error DATA_LOSS, INVALID_ARGUMENT naming the file.
  void Check();

  /// Moves the files into artifacts/. After Check.
  void Install();

  /// What is served once the files are installed; its creation time is the caller's.
  const ServedModel& served() const { return served_; }

 private:
  struct File {
    std::string label;  // "checkpoint b3", "evaluation set"
    artifacts::ArtifactRef ref;
    std::uint64_t received = 0;
    bool complete = false;
  };

  std::string PathOf(const File& file) const { return folder_ + "/" + file.ref.sha256; }
  void CloseCurrent();
  void CheckHeaders();

  const ArtifactStore& store_;
  ServedModel served_;
  std::string folder_;
  std::vector<File> files_;
  std::size_t current_ = 0;
  std::ofstream out_;
  Sha256 hash_;
};

}  // namespace oqat::server
