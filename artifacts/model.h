#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "space/search_space.h"

namespace oqat::artifacts {

/// A file named by its content.
struct ArtifactRef {
  std::string sha256;
  std::uint64_t size = 0;  ///< bytes
  bool operator==(const ArtifactRef&) const = default;
};

struct CheckpointRef {
  int bits = 0;
  ArtifactRef file;
  bool operator==(const CheckpointRef&) const = default;
};

/// What a coordinator serves: a space, one checkpoint per bit width, one evaluation set. Its id is
/// the sha256 of its canonical JSON without the name, so equal content has equal ids.
struct Model {
  std::string name;  ///< [a-z0-9][a-z0-9-]{0,62}
  space::SearchSpace space;
  std::vector<CheckpointRef> checkpoints;  ///< descending bits, no duplicates
  ArtifactRef evaluation_set;

  const CheckpointRef& checkpoint(int bits) const;  ///< throws Error NOT_FOUND listing the widths
  std::string ContentId() const;
};

void CheckModelName(std::string_view name, std::string_view field);  ///< throws INVALID_ARGUMENT
Json ModelToJson(const Model& model);
Model ModelFromJson(const Json& json, const std::string& path);

}  // namespace oqat::artifacts
