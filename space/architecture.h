#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "space/search_space.h"

namespace oqat::space {

/// One point of a space. `kernels` and `expands` hold stages x max_depth entries, block-major
/// within a stage; `depths` one per stage. Entries of a stage beyond its depth are inactive: they
/// change nothing, and the canonical form sets them to 0.
struct Architecture {
  int resolution = 0;
  int bits = 0;
  std::vector<int> kernels;
  std::vector<int> expands;
  std::vector<int> depths;

  auto operator<=>(const Architecture&) const = default;
};

/// Checks every gene and returns the canonical form: equal sub-networks compare equal. Inactive
/// genes may be 0 or any choice. Throws Error INVALID_ARGUMENT naming the gene (PATH.kernels[3]),
/// its value and the choices.
Architecture Canonical(const SearchSpace& space, const Architecture& architecture,
                       std::string_view path = "architecture");

/// Uniform over the genes (not over distinct sub-networks), then canonical.
Architecture SampleUniform(const SearchSpace& space, RandomStream& random);

/// The largest and smallest choice everywhere, at `bits`.
Architecture Largest(const SearchSpace& space, int bits);
Architecture Smallest(const SearchSpace& space, int bits);

/// Short text of a canonical architecture, one to one within a space and safe in file names:
/// "r32-b4-k3e6.k5e4-k3e3.k3e3", a group per stage, a word per active block.
std::string ToKey(const SearchSpace& space, const Architecture& architecture);

/// The inverse of ToKey. Throws Error INVALID_ARGUMENT.
Architecture FromKey(const SearchSpace& space, std::string_view key);

/// {"resolution":128,"bits":4,"kernels":[...],"expands":[...],"depths":[...]}, nothing else.
/// Throws Error INVALID_ARGUMENT; the result is canonical.
Architecture ArchitectureFromJson(const SearchSpace& space, const Json& json,
                                  const std::string& path = "architecture");
Json ArchitectureToJson(const Architecture& architecture);

/// One architecture or an array of them. Throws Error; array elements are named [i].
std::vector<Architecture> ArchitecturesFromJson(const SearchSpace& space, const Json& json,
                                                const std::string& path = "");

}  // namespace oqat::space
