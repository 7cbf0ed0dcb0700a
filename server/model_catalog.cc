// SPDX-License-Identifier: Apache-2.0
#include "server/model_catalog.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "server/records.h"

namespace oqat::server {

std::vector<artifacts::ArtifactRef> ModelCatalog::FilesOf(const artifacts::Model& model) {
  std::vector<artifacts::ArtifactRef> files;
  for (const artifacts::CheckpointRef& ref : model.checkpoints) files.push_back(ref.file);
  files.push_back(model.evaluation_set);
  return files;
}

void ModelCatalog::Load(storage::Store& store) {
  std::set<std::string> referenced;
  for (const storage::Model& record : store.ListModels("", storage::Store::kNoLimit)) {
    auto served = std::make_shared<ServedModel>(ModelFromRecord(record.manifest_json));
    served->create_time_ms = record.create_time_ms;
    for (const artifacts::ArtifactRef& ref : FilesOf(served->model)) {
      if (!artifacts_.Has(ref)) {
        throw Error(Code::kDataLoss, "model " + record.name + ": its file " +
                                         artifacts_.PathOf(ref.sha256) +
                                         " is missing or has another size");
      }
      referenced.insert(ref.sha256);
    }
    models_[record.name] = std::move(served);
  }
  artifacts_.Sweep(referenced);
}

ServedModelPtr ModelCatalog::Find(const std::string& name) const {
  const auto found = models_.find(name);
  return found == models_.end() || deleting_.contains(name) ? nullptr : found->second;
}

ServedModelPtr ModelCatalog::Get(const std::string& name, std::string_view field) const {
  if (ServedModelPtr model = Find(name)) return model;
  std::string names;
  for (const auto& [known, model] : models_) names += (names.empty() ? "" : ", ") + known;
  throw Error(Code::kNotFound,
              std::string(field) + ": got \"" + name + "\"; allowed: " +
                  (names.empty() ? "none, no model is served yet (oqat model push DIR)" : names));
}

std::vector<ServedModelPtr> ModelCatalog::List(const std::string& after, std::size_t limit) const {
  std::vector<ServedModelPtr> page;
  for (auto it = models_.upper_bound(after); it != models_.end() && page.size() < limit; ++it) {
    page.push_back(it->second);
  }
  return page;
}

ServedModelPtr ModelCatalog::CheckNew(const ServedModel& model) const {
  const auto found = models_.find(model.model.name);
  if (found == models_.end()) return nullptr;
  if (found->second->content_id != model.content_id) {
    throw Error(Code::kAlreadyExists,
                "model.name: " + model.model.name +
                    " is served with other content; choose another name or delete it first");
  }
  return found->second;
}

bool ModelCatalog::Referenced(const std::string& sha256) const {
  if (installing_.contains(sha256)) return true;
  std::uint64_t size = 0;
  return Serves(sha256, size);
}

bool ModelCatalog::Serves(const std::string& sha256, std::uint64_t& size) const {
  for (const auto& [name, model] : models_) {
    for (const artifacts::ArtifactRef& ref : FilesOf(model->model)) {
      if (ref.sha256 != sha256) continue;
      size = ref.size;
      return true;
    }
  }
  return false;
}

void ModelCatalog::Add(std::shared_ptr<Upload> upload, Callback<ServedModelPtr> done) {
  auto model = std::make_shared<ServedModel>(upload->served());
  model->create_time_ms = clock_();
  for (const artifacts::ArtifactRef& ref : FilesOf(model->model)) installing_.insert(ref.sha256);
  files_.Compute<bool>(
      loop_, [upload] { return upload->Install(), true; },
      [this, model, done](const std::optional<Error>& error, bool) {
        if (error) {
          Release(model->model);
          done(error, nullptr);
        } else {
          Insert(model, done);
        }
      });
}

void ModelCatalog::Insert(const ServedModelPtr& model, Callback<ServedModelPtr> done) {
  const storage::Model record{model->model.name, model->content_id, ManifestRecord(*model),
                              model->create_time_ms};
  const auto files = FilesOf(model->model);
  store_.Submit(
      [record, files](storage::Store& store) {
        for (const artifacts::ArtifactRef& ref : files) {
          store.InsertArtifact(
              {ref.sha256, static_cast<std::int64_t>(ref.size), record.create_time_ms});
        }
        store.InsertModel(record);
      },
      [this, model, done](const std::optional<Error>& error) {
        if (!error) {
          models_[model->model.name] = model;
          spdlog::info("model {} is served, content {}", model->model.name, model->content_id);
        }
        Release(model->model);
        if (!error) return done({}, model);
        if (error->code() != Code::kAlreadyExists) return done(error, nullptr);
        try {  // somebody was faster
          const ServedModelPtr twin = CheckNew(*model);
          done(twin ? std::optional<Error>() : error, twin);
        } catch (const Error& other) {
          done(other, nullptr);
        }
      });
}

void ModelCatalog::Release(const artifacts::Model& model) {
  for (const artifacts::ArtifactRef& ref : FilesOf(model)) {
    installing_.erase(installing_.find(ref.sha256));
    if (!Referenced(ref.sha256)) {
      files_.Post([&artifacts = artifacts_, sha256 = ref.sha256] { artifacts.Remove(sha256); });
    }
  }
}

void ModelCatalog::Delete(const std::string& name, Callback<bool> done) {
  const ServedModelPtr model = Get(name, "name");
  std::string users;
  for (const std::string& search : users_(name)) users += (users.empty() ? "" : ", ") + search;
  if (!users.empty()) {
    throw Error(Code::kFailedPrecondition,
                "model " + name + " is needed by searches that have " + "not ended: " + users);
  }
  deleting_.insert(name);  // no search begins on it from here on
  store_.Submit([name](storage::Store& store) { store.DeleteModel(name); },
                [this, name, model, done](const std::optional<Error>& error) {
                  deleting_.erase(name);
                  if (!error) {
                    models_.erase(name);
                    for (const artifacts::ArtifactRef& ref : FilesOf(model->model)) {
                      installing_.insert(ref.sha256);  // Release takes it away again
                    }
                    Release(model->model);
                    spdlog::info("model {} is deleted", name);
                  }
                  done(error, !error);
                });
}

}  // namespace oqat::server
