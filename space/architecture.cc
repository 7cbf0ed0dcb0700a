#include "space/architecture.h"

#include <algorithm>
#include <charconv>

namespace oqat::space {
namespace {

bool Contains(const std::vector<int>& choices, int value) {
  return std::find(choices.begin(), choices.end(), value) != choices.end();
}

std::string Listed(const std::vector<int>& choices) {
  std::string text;
  for (int choice : choices) text += (text.empty() ? "" : ", ") + std::to_string(choice);
  return text;
}

std::string Indexed(std::string_view path, std::string_view gene, std::size_t i) {
  std::string text(path);
  if (!text.empty()) text += '.';
  return text.append(gene).append("[").append(std::to_string(i)).append("]");
}

std::string Dotted(std::string_view path, std::string_view gene) {
  return path.empty() ? std::string(gene) : std::string(path) + "." + std::string(gene);
}

void CheckLength(std::string_view path, std::string_view gene, std::size_t length, int expected) {
  if (length == static_cast<std::size_t>(expected)) return;
  throw InvalidField(Dotted(path, gene), std::to_string(length) + " entries",
                     "exactly " + std::to_string(expected) + " entries");
}

void CheckChoice(const std::vector<int>& choices, int value, const auto& name) {
  if (!Contains(choices, value)) {
    throw InvalidField(name(), std::to_string(value), Listed(choices));
  }
}

Architecture Uniform(const SearchSpace& space, int resolution, int bits, int kernel, int expand,
                     int depth) {
  Architecture a;
  a.resolution = resolution;
  a.bits = bits;
  a.kernels.assign(space.num_blocks(), kernel);
  a.expands.assign(space.num_blocks(), expand);
  a.depths.assign(space.num_stages(), depth);
  return Canonical(space, a);
}

Error BadKey(std::string_view key) {
  return InvalidField("architecture key", "\"" + std::string(key.substr(0, 200)) + "\"",
                      "rR-bB-kKeE.kKeE-..., a group per stage and a word per active block");
}

// Consumes `tag` and a positive number from the front of `text`.
bool TakeNumber(std::string_view& text, char tag, int& value) {
  if (text.empty() || text.front() != tag) return false;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

Architecture Canonical(const SearchSpace& space, const Architecture& architecture,
                       std::string_view path) {
  CheckChoice(space.resolutions, architecture.resolution,
              [&] { return Dotted(path, "resolution"); });
  CheckChoice(space.bits, architecture.bits, [&] { return Dotted(path, "bits"); });
  CheckLength(path, "kernels", architecture.kernels.size(), space.num_blocks());
  CheckLength(path, "expands", architecture.expands.size(), space.num_blocks());
  CheckLength(path, "depths", architecture.depths.size(), space.num_stages());
  Architecture canonical = architecture;
  for (int stage = 0; stage < space.num_stages(); ++stage) {
    CheckChoice(space.depths, architecture.depths[stage],
                [&] { return Indexed(path, "depths", stage); });
    for (int block = 0; block < space.max_depth(); ++block) {
      const int i = stage * space.max_depth() + block;
      const bool active = block < architecture.depths[stage];
      if (active || architecture.kernels[i] != 0) {
        CheckChoice(space.kernels, architecture.kernels[i],
                    [&] { return Indexed(path, "kernels", i); });
      }
      if (active || architecture.expands[i] != 0) {
        CheckChoice(space.expands, architecture.expands[i],
                    [&] { return Indexed(path, "expands", i); });
      }
      if (!active) canonical.kernels[i] = canonical.expands[i] = 0;
    }
  }
  return canonical;
}

Architecture SampleUniform(const SearchSpace& space, RandomStream& random) {
  Architecture a;
  a.resolution = random.Choose(space.resolutions);
  a.bits = random.Choose(space.bits);
  for (int i = 0; i < space.num_blocks(); ++i) {
    a.kernels.push_back(random.Choose(space.kernels));
    a.expands.push_back(random.Choose(space.expands));
  }
  for (int i = 0; i < space.num_stages(); ++i) a.depths.push_back(random.Choose(space.depths));
  return Canonical(space, a);
}

Architecture Largest(const SearchSpace& space, int bits) {
  return Uniform(space, space.max_resolution(), bits, space.max_kernel(), space.max_expand(),
                 space.max_depth());
}

Architecture Smallest(const SearchSpace& space, int bits) {
  return Uniform(space, space.resolutions.front(), bits, space.kernels.front(),
                 space.expands.front(), space.depths.front());
}

std::string ToKey(const SearchSpace& space, const Architecture& architecture) {
  std::string key = "r" + std::to_string(architecture.resolution) + "-b" +
                    std::to_string(architecture.bits);
  for (int stage = 0; stage < space.num_stages(); ++stage) {
    for (int block = 0; block < architecture.depths[stage]; ++block) {
      const int i = stage * space.max_depth() + block;
      key += block == 0 ? "-k" : ".k";
      key += std::to_string(architecture.kernels[i]) + "e" +
             std::to_string(architecture.expands[i]);
    }
  }
  return key;
}

Architecture FromKey(const SearchSpace& space, std::string_view key) {
  std::string_view text = key;
  Architecture a;
  if (!TakeNumber(text, 'r', a.resolution) || !text.starts_with("-")) throw BadKey(key);
  text.remove_prefix(1);
  if (!TakeNumber(text, 'b', a.bits)) throw BadKey(key);
  a.kernels.assign(space.num_blocks(), 0);
  a.expands.assign(space.num_blocks(), 0);
  while (text.starts_with("-")) {
    const int stage = static_cast<int>(a.depths.size());
    if (stage == space.num_stages()) throw BadKey(key);
    a.depths.push_back(0);
    do {
      text.remove_prefix(1);
      const int block = a.depths.back()++;
      if (block >= space.max_depth()) throw BadKey(key);
      const int i = stage * space.max_depth() + block;
      if (!TakeNumber(text, 'k', a.kernels[i]) || !TakeNumber(text, 'e', a.expands[i])) {
        throw BadKey(key);
      }
    } while (text.starts_with("."));
  }
  if (!text.empty()) throw BadKey(key);
  return Canonical(space, a, "architecture key");
}

Architecture ArchitectureFromJson(const SearchSpace& space, const Json& json,
                                  const std::string& path) {
  JsonReader reader(json, path);
  Architecture a;
  a.resolution = static_cast<int>(reader.Int("resolution", 0, 1 << 20));
  a.bits = static_cast<int>(reader.Int("bits", 0, 64));
  a.kernels = reader.IntList("kernels", 0, 1 << 20);
  a.expands = reader.IntList("expands", 0, 1 << 20);
  a.depths = reader.IntList("depths", 0, 1 << 20);
  reader.Finish();
  return Canonical(space, a, path);
}

Json ArchitectureToJson(const Architecture& architecture) {
  return {{"resolution", architecture.resolution},
          {"bits", architecture.bits},
          {"kernels", architecture.kernels},
          {"expands", architecture.expands},
          {"depths", architecture.depths}};
}

std::vector<Architecture> ArchitecturesFromJson(const SearchSpace& space, const Json& json,
                                                const std::string& path) {
  std::vector<Architecture> list;
  if (!json.is_array()) {
    list.push_back(ArchitectureFromJson(space, json, path.empty() ? "architecture" : path));
    return list;
  }
  list.reserve(json.size());
  for (const Json& item : json) {
    list.push_back(
        ArchitectureFromJson(space, item, path + "[" + std::to_string(list.size()) + "]"));
  }
  return list;
}

}  // namespace oqat::space
