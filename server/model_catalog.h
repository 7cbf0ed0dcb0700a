// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/artifact_store.h"
#include "server/loop.h"
#include "server/served_model.h"
#include "storage/async_store.h"
#include "storage/store.h"

namespace oqat::server {

using ServedModelPtr = std::shared_ptr<const ServedModel>;

/// The models that are served. Lives on the loop; files are touched on the file pool.
class ModelCatalog {
 public:
  /// References must outlive the object.
  ModelCatalog(Loop& loop, Pool& files, storage::AsyncStore& store, ArtifactStore& artifacts,
               Clock clock)
      : loop_(loop),
        files_(files),
        store_(store),
        artifacts_(artifacts),
        clock_(std::move(clock)) {}

  /// `users` names the searches that need a model; it is not deleted while there are any.
  void SetUsers(std::function<std::vector<std::string>(const std::string& model)> users) {
    users_ = std::move(users);
  }

  /// Reads what the store has and removes artifacts that no model refers to. Before serving.
  /// Throws Error DATA_LOSS naming a model whose file is missing.
  void Load(storage::Store& store);

  ServedModelPtr Find(const std::string& name) const;  ///< null if there is none
  /// Throws Error NOT_FOUND naming `field` and the models there are.
  ServedModelPtr Get(const std::string& name, std::string_view field) const;
  /// Models after a name, in order.
  std::vector<ServedModelPtr> List(const std::string& after, std::size_t limit) const;

  /// The model of the same name and content, if it is served already; null if the name is free.
  /// Throws Error ALREADY_EXISTS if the name has other content.
  ServedModelPtr CheckNew(const ServedModel& model) const;

  /// Installs a checked upload and serves it. Of two equal ones at a time the first wins and both
  /// are told so.
  void Add(std::shared_ptr<Upload> upload, Callback<ServedModelPtr> done);

  /// Errors: NOT_FOUND, FAILED_PRECONDITION naming the searches that need it.
  void Delete(const std::string& name, Callback<bool> done);

  /// True if a served model has this file; sets its size.
  bool Serves(const std::string& sha256, std::uint64_t& size) const;

 private:
  static std::vector<artifacts::ArtifactRef> FilesOf(const artifacts::Model& model);
  bool Referenced(const std::string& sha256) const;
  void Insert(const ServedModelPtr& model, Callback<ServedModelPtr> done);
  void Release(const artifacts::Model& model);

  Loop& loop_;
  Pool& files_;
  storage::AsyncStore& store_;
  ArtifactStore& artifacts_;
  const Clock clock_;
  std::function<std::vector<std::string>(const std::string&)> users_;
  std::map<std::string, ServedModelPtr> models_;
  std::set<std::string> deleting_;
  std::multiset<std::string> installing_;  // files that must stay, of uploads on their way
};

}  // namespace oqat::server
