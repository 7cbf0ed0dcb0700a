#include "tests/search/simulated_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "predictor/adapted.h"
#include "predictor/gaussian_process.h"

namespace oqat::search {
double SyntheticTop1(const space::SearchSpace& space, const space::Architecture& a) {
  double quality = 0.4 * a.resolution / space.max_resolution() + 0.25 * (a.bits - 2);
  for (int i = 0; i < space.num_blocks(); ++i) {
    if (a.kernels[i] == 0) continue;
    // Later blocks gain from width, earlier ones from large kernels.
    const double late = static_cast<double>(i) / space.num_blocks();
    quality += 0.05 + 0.2 * late * a.expands[i] / space.max_expand() +
               0.15 * (1 - late) * a.kernels[i] / space.max_kernel();
  }
  return 0.2 + 0.75 * (1 - std::exp(-quality));
}

space::SearchSpace TinySpace() {
  space::SearchSpace space = space::Preset("tiny-mbv3");
  space.name = "eight";
  space.stages.resize(1);
  space.resolutions = {16};
  space.bits = {4, 2};
  space.kernels = {3, 5};
  space.expands = {2, 4};
  space.depths = {1};
  return space;
}

PredictorFactory GaussianFactory(const space::SearchSpace& space) {
  return [space] {
    return std::make_unique<predictor::Adapted<Predictor, predictor::GaussianProcess>>(space);
  };
}

History VisibleHistory(const SearchRequest& request, const std::vector<Measured>& all, int round) {
  History history;
  for (const Measured& m : all) {
    if (m.round == kWarmRound || m.round <= round - request.lag) {
      history.measured.push_back(m);
    } else {
      history.pending.push_back(m.architecture);
    }
  }
  return history;
}

std::vector<Measured> Simulate(const space::SearchSpace& space, const SearchRequest& request,
                               int fail_every, const std::vector<Measured>& warm) {
  const std::unique_ptr<Strategy> strategy = MakeStrategy(space, request, GaussianFactory(space));
  std::vector<Measured> all = warm;
  std::set<space::Architecture> proposed;
  for (const Measured& m : warm) proposed.insert(m.architecture);
  for (int round = 0; round < NumRounds(request); ++round) {
    const int count = RoundCount(request, round);
    RandomStream random = RoundStream(request.seed, round);
    const std::vector<space::Architecture> batch =
        strategy->Propose(VisibleHistory(request, all, round), round, count, random);
    EXPECT_LE(static_cast<int>(batch.size()), count);
    for (const space::Architecture& a : batch) {
      EXPECT_EQ(space::Canonical(space, a), a);
      EXPECT_TRUE(proposed.insert(a).second) << "repeated " << space::ToKey(space, a);
      Measured m{round, static_cast<int>(&a - batch.data()), a, space::CostMetrics(space, a)};
      EXPECT_EQ(Violation(request.constraints, m.metrics), 0) << space::ToKey(space, a);
      m.failed = fail_every > 0 && all.size() % fail_every == 0;
      if (m.failed) {
        m.metrics.clear();
      } else {
        m.metrics[space::Metric::kTop1] = SyntheticTop1(space, a);
        m.metrics[space::Metric::kLoss] = 3 * (1 - SyntheticTop1(space, a));
      }
      all.push_back(std::move(m));
    }
    if (static_cast<int>(batch.size()) < count) break;
  }
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(warm.size()));
  return all;
}

std::vector<std::string> Keys(const space::SearchSpace& space,
                              const std::vector<space::Architecture>& architectures) {
  std::vector<std::string> keys;
  for (const space::Architecture& a : architectures) keys.push_back(space::ToKey(space, a));
  return keys;
}

}  // namespace oqat::search
