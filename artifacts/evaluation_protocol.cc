#include "artifacts/evaluation_protocol.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace oqat::artifacts {

namespace {

/// `requested` images of a split, 0 meaning all of them.
std::int64_t Count(std::int64_t requested, std::int64_t available, const char* field) {
  if (requested < 0 || requested > available || available == 0) {
    throw InvalidField(field, std::to_string(requested),
                       "0 (all) to the evaluation set's " + std::to_string(available));
  }
  return requested == 0 ? available : requested;
}

}  // namespace

ImageCounts CountImages(const EvaluationProtocol& protocol, const EvaluationSet& set,
                        const space::SearchSpace& space) {
  if (static_cast<int>(set.class_names.size()) != space.num_classes) {
    throw InvalidField("evaluation set classes", std::to_string(set.class_names.size()),
                       "the space's " + std::to_string(space.num_classes));
  }
  if (protocol.batch_size < 1) {
    throw InvalidField("batch_size", std::to_string(protocol.batch_size), "at least 1");
  }
  return {Count(protocol.calibration_images, set.calibration.count(), "calibration_images"),
          Count(protocol.images, set.split(protocol.split).count(), "images")};
}

void Score::Add(const float* logits, const std::int32_t* labels, std::int64_t count,
                std::int64_t classes) {
  for (std::int64_t i = 0; i < count; ++i, logits += classes) {
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < classes; ++c) {
      if (logits[c] > logits[best]) best = c;
    }
    double sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      sum += std::exp(static_cast<double>(logits[c]) - logits[best]);
    }
    loss_ += std::log(sum) + logits[best] - logits[labels[i]];
    hits_ += best == labels[i] ? 1 : 0;
  }
  images_ += count;
}

double Top1Bound(std::int64_t hits, std::int64_t done, std::int64_t total, std::int64_t checks) {
  constexpr double kWrong = 1.0 / 200;
  const double n = static_cast<double>(done), all = static_cast<double>(total);
  const double most = static_cast<double>(hits + total - done) / all;
  const double unseen = 1 - (n - 1) / all;
  const double margin =
      std::sqrt(unseen * std::log(static_cast<double>(checks) / kWrong) / (2 * n));
  return std::min(most, static_cast<double>(hits) / n + margin);
}

bool Score::Hopeless(const EvaluationProtocol& protocol, std::int64_t total) const {
  if (!protocol.stop_below || images_ == 0 || images_ >= total) return false;
  const std::int64_t checks = (total + protocol.batch_size - 1) / protocol.batch_size;
  return Top1Bound(hits_, images_, total, checks) < *protocol.stop_below;
}

EvaluationResult Score::Result() const {
  const double count = static_cast<double>(images_);
  EvaluationResult result;
  result.top1 = static_cast<double>(hits_) / count;
  result.loss = loss_ / count;
  result.images = images_;
  return result;
}

}  // namespace oqat::artifacts
