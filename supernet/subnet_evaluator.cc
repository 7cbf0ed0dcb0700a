#include "supernet/subnet_evaluator.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include "base/error.h"
#include "supernet/elastic_net.h"
#include "supernet/evaluate_net.h"

namespace oqat::supernet {

struct SubnetEvaluator::Impl {
  explicit Impl(const artifacts::Checkpoint& checkpoint)
      : net(checkpoint.space, checkpoint.bits, checkpoint.activation_range, 0),
        normalization(checkpoint.normalization) {
    net->FromTensors(checkpoint.tensors, "checkpoint");
    net->eval();
  }

  ElasticNet net;
  artifacts::Normalization normalization;
};

namespace {

/// Runs `work`; LibTorch's exceptions leave as ours.
template <typename Work>
auto Guarded(const char* what, Work&& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    throw Error(Code::kInternal, std::string(what) + ": " + error.what_without_backtrace());
  }
}

}  // namespace

SubnetEvaluator::SubnetEvaluator(const artifacts::Checkpoint& checkpoint)
    : impl_(Guarded("loading the checkpoint", [&] { return std::make_unique<Impl>(checkpoint); })) {
}

SubnetEvaluator::~SubnetEvaluator() = default;

artifacts::EvaluationResult SubnetEvaluator::Evaluate(
    const space::Architecture& architecture, const artifacts::EvaluationSet& set,
    const artifacts::EvaluationProtocol& protocol,
    const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  return Guarded("evaluating a subnet", [&] {
    at::set_num_threads(1);
    return EvaluateNet(*impl_->net, impl_->normalization, architecture, set, protocol, progress);
  });
}

}  // namespace oqat::supernet
