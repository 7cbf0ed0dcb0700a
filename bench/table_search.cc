#include "bench/table_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "search/front.h"
#include "search/pareto.h"
#include "search/strategy.h"
#include "space/metric.h"

namespace oqat::bench {

TableSearch::TableSearch(artifacts::EvaluationTable table, search::PredictorFactory factory)
    : table_(std::move(table)), factory_(std::move(factory)) {
  for (const auto& row : table_.rows) {
    search::Measured measured;
    measured.architecture = space::FromKey(table_.space, row.key);
    measured.metrics = space::CostMetrics(table_.space, measured.architecture);
    measured.metrics[space::Metric::kTop1] = row.search_top1;
    position_[measured.architecture] = all_.size();
    all_.push_back(std::move(measured));
  }
}

std::vector<search::Measured> TableSearch::Run(const search::SearchRequest& request) const {
  const auto strategy = search::MakeStrategy(table_.space, request, factory_);
  std::vector<search::Measured> all;
  for (int round = 0; round < search::NumRounds(request); ++round) {
    search::History history;
    for (const search::Measured& m : all) {
      if (m.round <= round - request.lag) {
        history.measured.push_back(m);
      } else {
        history.pending.push_back(m.architecture);
      }
    }
    RandomStream random = search::RoundStream(request.seed, round);
    const int count = search::RoundCount(request, round);
    const auto batch = strategy->Propose(history, round, count, random);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto found = position_.find(batch[i]);
      if (found == position_.end()) {
        throw Error(Code::kNotFound, space::ToKey(table_.space, batch[i]) + ": not in the table");
      }
      search::Measured measured = all_[found->second];
      measured.round = round;
      measured.index = static_cast<int>(i);
      all.push_back(std::move(measured));
    }
    if (static_cast<int>(batch.size()) < count) break;
  }
  return all;
}

std::vector<search::Measured> TableSearch::TrueFront(const search::SearchRequest& request) const {
  return search::FinalFront(table_.space, request, all_);
}

double TableSearch::StrictVolume(const std::vector<search::Measured>& front) const {
  const auto point = [](const search::Measured& m) {
    return search::Point{-m.metrics.at(space::Metric::kTop1),
                         std::log(m.metrics.at(space::Metric::kBitops))};
  };
  search::Point reference(2, -std::numeric_limits<double>::infinity());
  for (const search::Measured& m : all_) {
    const search::Point p = point(m);
    for (std::size_t i = 0; i < 2; ++i) reference[i] = std::max(reference[i], p[i]);
  }
  std::vector<search::Point> points;
  for (const search::Measured& m : front) points.push_back(point(m));
  return search::Hypervolume(points, reference);
}

TableSearch::Share TableSearch::ShareOf(const search::SearchRequest& request,
                                        std::span<const search::Measured> measured) const {
  const auto truth = TrueFront(request);
  const auto found = search::FinalFront(table_.space, request, measured);
  return {search::FrontHypervolume(table_.space, request, found) /
              search::FrontHypervolume(table_.space, request, truth),
          StrictVolume(found) / StrictVolume(truth)};
}

}  // namespace oqat::bench
