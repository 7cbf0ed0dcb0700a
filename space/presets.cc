#include <map>

#include "space/search_space.h"

namespace oqat::space {
namespace {

SearchSpace Cifar10() {
  SearchSpace space;
  space.name = "cifar10-mbv3";
  space.num_classes = 10;
  // A narrow stem: it is float, so each of its MACs costs 1,024 BitOPs.
  space.stem_width = 8;
  space.stem_stride = 1;
  space.first_block_width = 8;
  space.stages = {{16, 2, Activation::kRelu, false},
                  {24, 2, Activation::kRelu, true},
                  {40, 1, Activation::kHSwish, false},
                  {64, 2, Activation::kHSwish, true}};
  space.final_expand_width = 256;
  space.feature_mix_width = 320;
  space.resolutions = {24, 28, 32};
  space.bits = {4, 3, 2};
  space.kernels = {3, 5, 7};
  space.expands = {2, 3, 4};
  space.depths = {1, 2, 3};
  return space;
}

SearchSpace Tiny() {
  SearchSpace space;
  space.name = "tiny-mbv3";
  space.num_classes = 10;
  space.stem_width = 8;
  space.stem_stride = 1;
  space.first_block_width = 8;
  space.stages = {{12, 2, Activation::kRelu, false},
                  {20, 2, Activation::kRelu, true},
                  {32, 2, Activation::kHSwish, true}};
  space.final_expand_width = 128;
  space.feature_mix_width = 160;
  space.resolutions = {16, 20, 24};
  space.bits = {4, 3, 2};
  space.kernels = {3, 5};
  space.expands = {2, 3, 4};
  space.depths = {1, 2};
  return space;
}

const std::map<std::string, SearchSpace, std::less<>>& Presets() {
  static const std::map<std::string, SearchSpace, std::less<>> presets = [] {
    std::map<std::string, SearchSpace, std::less<>> all;
    for (SearchSpace& space :
         std::vector<SearchSpace>{OqaSpace(1.0, 1000, {3, 5, 7}, {3, 4, 6}, {2, 3, 4}), Cifar10(),
                                  Tiny()}) {
      all.emplace(space.name, std::move(space));
    }
    return all;
  }();
  return presets;
}

}  // namespace

SearchSpace OqaSpace(double width_multiplier, int num_classes, std::vector<int> kernels,
                     std::vector<int> expands, std::vector<int> depths) {
  const auto scaled = [&](int width) { return MakeDivisible(width * width_multiplier); };
  SearchSpace space;
  char name[32];
  std::snprintf(name, sizeof name, width_multiplier == 1.0 ? "oqa-mbv3-w%.1f" : "oqa-mbv3-w%g",
                width_multiplier);
  space.name = name;
  space.num_classes = num_classes;
  space.stem_width = scaled(16);
  space.stem_stride = 2;
  space.first_block_width = scaled(16);
  space.stages = {{scaled(24), 2, Activation::kRelu, false},
                  {scaled(40), 2, Activation::kRelu, true},
                  {scaled(80), 2, Activation::kHSwish, false},
                  {scaled(112), 1, Activation::kHSwish, true},
                  {scaled(160), 2, Activation::kHSwish, true}};
  space.final_expand_width = scaled(960);
  space.feature_mix_width = scaled(1280);
  for (int resolution = 128; resolution <= 224; resolution += 4) {
    space.resolutions.push_back(resolution);
  }
  space.bits = {4, 3, 2};
  space.kernels = std::move(kernels);
  space.expands = std::move(expands);
  space.depths = std::move(depths);
  return space;
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const auto& [name, space] : Presets()) names.push_back(name);
  return names;
}

const SearchSpace& Preset(std::string_view name) {
  const auto found = Presets().find(name);
  if (found != Presets().end()) return found->second;
  std::string names;
  for (const std::string& preset : PresetNames()) names += (names.empty() ? "" : ", ") + preset;
  throw Error(Code::kNotFound, "space: got \"" + std::string(name) +
                                   "\"; allowed: a JSON file that exists, or one of " + names);
}

}  // namespace oqat::space
