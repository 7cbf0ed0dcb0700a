// A LibTorch built for release marks no inputs as valid, which its header checks in debug builds.
#ifndef NDEBUG
#define NDEBUG
#endif
#include "bench/op_times.h"

#include <ATen/record_function.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace oqat::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kBetween = "between operations";

/// Parts of names of operations ("aten::mul") and autograd nodes ("MulBackward0", our functions'
/// "torch::autograd::CppNode<...Depthwise>"); the first that fits decides.
constexpr std::array<std::pair<const char*, const char*>, 29> kKinds{{
    {"epthwise", "depthwise convolution"},
    {"ointwise", "other convolutions, matrices"},
    {"onvolution", "other convolutions, matrices"},
    {"aten::linear", "other convolutions, matrices"},
    {"AddmmBackward", "other convolutions, matrices"},
    {"mm", "other convolutions, matrices"},
    {"atch_norm", "BatchNorm, activation"},
    {"BatchNorm", "BatchNorm, activation"},
    {"atchNorm", "BatchNorm, activation"},
    {"ormalize", "BatchNorm, activation"},
    {"ardswish", "BatchNorm, activation"},
    {"ardsigmoid", "gates, sums, means"},
    {"relu", "BatchNorm, activation"},
    {"Relu", "BatchNorm, activation"},
    {"threshold", "BatchNorm, activation"},
    {"Lsq", "quantizer"},
    {"hardtanh", "quantizer"},
    {"Hardtanh", "quantizer"},
    {"Div", "quantizer"},
    {"aten::div", "quantizer"},
    {"round", "quantizer"},
    {"aten::abs", "quantizer"},
    {"AbsBackward", "quantizer"},
    {"Gate", "gates, sums, means"},
    {"mean", "gates, sums, means"},
    {"Mean", "gates, sums, means"},
    {"oftmax", "loss"},
    {"oss", "loss"},
    {"AccumulateGrad", "gradients into parameters"},
}};

struct Open {
  const char* kind;
  Clock::time_point since;  ///< when this became the innermost operation
};

std::vector<Open> open;
std::map<std::string, double> seconds;

void Charge(Clock::time_point now) {
  seconds[open.back().kind] += std::chrono::duration<double>(now - open.back().since).count();
}

const char* KindOf(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  // The operation that knows its groups is called by several that do not.
  const std::size_t groups = name == "aten::convolution"            ? 8
                             : name == "aten::convolution_backward" ? 9
                                                                    : 0;
  if (groups > 0 && function.inputs().size() > groups && function.inputs()[groups].isInt() &&
      function.inputs()[groups].toInt() > 1) {
    return "depthwise convolution";
  }
  for (const auto& [part, kind] : kKinds) {
    if (name.find(part) == std::string_view::npos) continue;
    // Inside a depthwise convolution the library's kernels have no word of it in their names.
    const bool inner = name.find("onvolution") != std::string_view::npos &&
                       std::strcmp(open.back().kind, "depthwise convolution") == 0;
    return inner ? open.back().kind : kind;
  }
  return open.size() > 1 ? open.back().kind : "tensor arithmetic (plain quantizer, sums)";
}

std::unique_ptr<at::ObserverContext> Start(const at::RecordFunction& function) {
  const char* kind = KindOf(function);
  const Clock::time_point now = Clock::now();
  Charge(now);
  open.push_back({kind, now});
  return nullptr;
}

void End(const at::RecordFunction&, at::ObserverContext*) {
  const Clock::time_point now = Clock::now();
  Charge(now);
  open.pop_back();
  open.back().since = now;
}

}  // namespace

OpTimes::OpTimes() {
  seconds.clear();
  open = {{kBetween, Clock::now()}};
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(Start, End).needsInputs(true));
}

OpTimes::~OpTimes() {
  at::removeCallback(handle_);
  Charge(Clock::now());
}

const std::map<std::string, double>& OpTimes::Seconds() { return seconds; }

}  // namespace oqat::bench
