#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace oqat::space {

enum class Activation { kRelu, kHSwish };

/// One stage: blocks of inverted residuals with the same output width. Only the first block
/// strides.
struct Stage {
  int width = 0;
  int stride = 1;
  Activation activation = Activation::kRelu;
  bool squeeze_excite = false;

  bool operator==(const Stage&) const = default;
};

/// What may vary and what is fixed: an elastic MobileNetV3 in the manner of once-for-all
/// (Cai et al. 2020), quantized as in OQAT (Shen et al. 2021). Immutable once checked.
///
/// The network: float 3x3 stem -> fixed depthwise-separable first block -> stages -> 1x1 final
/// expand -> global average -> 1x1 feature mix (no BatchNorm) -> float classifier.
struct SearchSpace {
  std::string name;
  int input_channels = 3;
  int num_classes = 0;

  int stem_width = 0;
  int stem_stride = 2;
  int first_block_width = 0;
  Activation first_block_activation = Activation::kRelu;
  std::vector<Stage> stages;
  int final_expand_width = 0;
  int feature_mix_width = 0;

  // The choices, ascending except bits (descending, the order in which they are trained).
  std::vector<int> resolutions;
  std::vector<int> bits;
  std::vector<int> kernels;
  std::vector<int> expands;
  std::vector<int> depths;

  int max_depth() const { return depths.back(); }
  int max_kernel() const { return kernels.back(); }
  int max_expand() const { return expands.back(); }
  int max_resolution() const { return resolutions.back(); }
  int num_stages() const { return static_cast<int>(stages.size()); }

  /// Entries of `kernels` and `expands` in an architecture: stages x max_depth.
  int num_blocks() const { return num_stages() * max_depth(); }

  bool operator==(const SearchSpace&) const = default;
};

/// Names of the built-in spaces.
std::vector<std::string> PresetNames();

/// Throws Error NOT_FOUND listing the presets.
const SearchSpace& Preset(std::string_view name);

/// The released space at another width: widths rounded to multiples of 8 as once-for-all does.
SearchSpace OqaSpace(double width_multiplier, int num_classes, std::vector<int> kernels,
                     std::vector<int> expands, std::vector<int> depths);

/// Nearest multiple of 8 (at least 8) that is not more than 10 % below `value`
/// (make_divisible of once-for-all).
int MakeDivisible(double value);

/// Throws Error INVALID_ARGUMENT naming the field, its value and what is allowed.
SearchSpace SpaceFromJson(const Json& json);
Json SpaceToJson(const SearchSpace& space);

/// NAME of a preset, or the path of a JSON file. Throws Error.
SearchSpace LoadSpace(const std::string& name_or_file);

}  // namespace oqat::space
