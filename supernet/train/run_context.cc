#include "supernet/train/run_context.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "base/error.h"
#include "supernet/tensors.h"

namespace oqat::supernet {

double RunContext::StepsOf(const RecipeStage& stage) const {
  const double steps = std::round(stage.epochs * static_cast<double>(data.split.train.size()) /
                                  static_cast<double>(stage.batch_size));
  return std::max(1.0, steps);
}

void RunContext::Save(const std::map<std::string, artifacts::Tensor>& net,
                      const std::map<std::string, at::Tensor>& optimizer) {
  for (const auto& [name, tensor] : net) {
    for (const float value : artifacts::ToFloats(tensor)) {
      if (std::isfinite(value)) continue;
      throw Error(Code::kFailedPrecondition, "training diverged: " + name + " has the value " +
                                                 std::to_string(value) + " after step " +
                                                 std::to_string(state.steps) +
                                                 "; lower the learning_rate or set gradient_clip");
    }
  }
  state.seconds = Elapsed();
  state.metrics_bytes = folder->metrics_bytes();
  state.tensors.clear();
  for (const auto& [name, tensor] : net) state.tensors["net." + name] = tensor;
  for (const auto& [name, tensor] : optimizer) state.tensors[name] = ToArtifact(tensor);
  WriteTrainState(folder->PathOf(RunFolder::kState), state);
}

std::string StageName(int bits) { return bits == 32 ? "float" : std::to_string(bits) + " bit"; }

std::string Format(const char* format, ...) {
  char text[256];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace oqat::supernet
