#include "runtime/subnet.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "runtime/runner.h"

namespace oqat::runtime {

namespace {

space::Architecture Checked(const QuantizedSupernet& supernet,
                            const space::Architecture& architecture) {
  space::Architecture canonical = space::Canonical(supernet.space, architecture);
  if (canonical.bits != supernet.bits) {
    throw InvalidField("architecture.bits", std::to_string(canonical.bits),
                       "the checkpoint's " + std::to_string(supernet.bits));
  }
  return canonical;
}

}  // namespace

struct Subnet::Impl : Runner {
  using Runner::Runner;
};

Subnet::Subnet(const QuantizedSupernet& supernet, const space::Architecture& architecture,
               const Kernels& kernels)
    : impl_(std::make_unique<Impl>(supernet, Checked(supernet, architecture), kernels)) {}
Subnet::~Subnet() = default;
Subnet::Subnet(Subnet&&) noexcept = default;
Subnet& Subnet::operator=(Subnet&&) noexcept = default;

void Subnet::Recalibrate(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                         std::int64_t batch_size, const std::function<void(std::int64_t)>& done) {
  if (end <= begin) throw InvalidField("calibration images", "none", "at least one");
  if (batch_size < 1) throw InvalidField("batch_size", std::to_string(batch_size), "at least 1");
  Layers& layers = impl_->layers();
  layers.ForEachNorm([](FoldedNorm& norm) { norm.BeginBatches(); });
  try {
    for (std::int64_t i = begin; i < end; i += batch_size) {
      const std::int64_t last = i + std::min(end - i, batch_size);
      impl_->Calibrate(set, i, last);
      if (done) done(last - begin);
    }
  } catch (...) {
    layers.ForEachNorm([](FoldedNorm& norm) { norm.DropBatches(); });
    throw;
  }
  layers.ForEachNorm([&](FoldedNorm& norm) { norm.EndBatches(end - begin); });
}

std::vector<Statistics> Subnet::statistics() const {
  std::vector<Statistics> all;
  impl_->layers().ForEachNorm([&](FoldedNorm& norm) {
    all.push_back({norm.layer(), norm.mean(), norm.variance()});
  });
  return all;
}

void Subnet::SetStatistics(const std::vector<Statistics>& statistics) {
  std::size_t at = 0;
  std::vector<FoldedNorm*> norms;
  impl_->layers().ForEachNorm([&](FoldedNorm& norm) { norms.push_back(&norm); });
  if (statistics.size() != norms.size()) {
    throw InvalidField("statistics", std::to_string(statistics.size()) + " layers",
                       std::to_string(norms.size()));
  }
  for (const FoldedNorm* norm : norms) {
    const Statistics& given = statistics[at++];
    const auto channels = static_cast<std::size_t>(norm->channels());
    if (given.layer != norm->layer() || given.mean.size() != channels ||
        given.variance.size() != channels) {
      throw InvalidField("statistics[" + std::to_string(at - 1) + "]",
                         given.layer + " of " + std::to_string(given.mean.size()) + " channels",
                         norm->layer() + " of " + std::to_string(channels));
    }
    for (std::size_t c = 0; c < channels; ++c) {
      if (!std::isfinite(given.mean[c]) || !std::isfinite(given.variance[c]) ||
          given.variance[c] < 0) {
        throw InvalidField("statistics." + given.layer + "[" + std::to_string(c) + "]",
                           std::to_string(given.mean[c]) + ", " + std::to_string(given.variance[c]),
                           "finite numbers, variances not negative");
      }
    }
  }
  for (std::size_t i = 0; i < norms.size(); ++i) {
    norms[i]->SetStatistics(statistics[i].mean, statistics[i].variance);
  }
}

void Subnet::Run(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                 float* logits) {
  for (std::int64_t i = begin; i < end; i += kHeadImages) {
    const std::int64_t last = std::min(end, i + kHeadImages);
    impl_->Run(set, i, last, logits);
    logits += (last - i) * classes();
  }
}

int Subnet::classes() const { return impl_->supernet().space.num_classes; }
void Subnet::SetProbe(Probe probe) { impl_->operators().probe = std::move(probe); }

void Subnet::EnableTiming(bool on) {
  impl_->operators().timing = on;
  impl_->operators().times.clear();
}

std::vector<Subnet::LayerTime> Subnet::TakeTimes() {
  return std::exchange(impl_->operators().times, {});
}

}  // namespace oqat::runtime
