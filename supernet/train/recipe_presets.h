#pragma once

#include <span>
#include <string_view>

namespace oqat::supernet {

struct RecipePreset {
  std::string_view name;
  std::string_view json;
};

/// The recipes that oqat-train knows by name.
std::span<const RecipePreset> RecipePresets();

}  // namespace oqat::supernet
