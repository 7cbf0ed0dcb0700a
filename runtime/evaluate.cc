#include "runtime/evaluate.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/latency.h"
#include "runtime/subnet.h"

namespace oqat::runtime {

artifacts::EvaluationResult Evaluate(
    const QuantizedSupernet& supernet, const space::Architecture& architecture,
    const artifacts::EvaluationSet& set, const artifacts::EvaluationProtocol& protocol,
    const Kernels& kernels, const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  // How often progress is reported: results do not depend on it, unless counting may stop there.
  const std::int64_t chunk = protocol.stop_below ? protocol.batch_size : 256;

  Subnet subnet(supernet, architecture, kernels);
  const auto [calibration, count] = artifacts::CountImages(protocol, set, supernet.space);
  const std::int64_t total = calibration + count;
  const auto report = [&, total = total](std::int64_t done) {
    if (progress && !progress(done, total)) {
      throw Error(Code::kCancelled, "evaluation stopped after " + std::to_string(done) + " of " +
                                        std::to_string(total) + " images");
    }
  };
  subnet.Recalibrate(set.calibration, 0, calibration, protocol.batch_size, report);

  const artifacts::ImageSet& images = set.split(protocol.split);
  artifacts::Score score;
  std::vector<float> logits(static_cast<std::size_t>(chunk * subnet.classes()));
  for (std::int64_t i = 0; i < count; i += chunk) {
    const std::int64_t end = std::min(count, i + chunk);
    subnet.Run(images, i, end, logits.data());
    score.Add(logits.data(), images.labels.data() + i, end - i, subnet.classes());
    report(calibration + end);
    if (score.Hopeless(protocol, count)) break;
  }
  artifacts::EvaluationResult result = score.Result();
  result.stopped = result.images < count;
  if (protocol.latency && !result.stopped) result.latency = MeasureLatency(subnet, images, count);
  return result;
}

}  // namespace oqat::runtime
