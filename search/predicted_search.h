#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/random.h"
#include "search/candidates.h"
#include "search/genes.h"
#include "search/history.h"
#include "search/pareto.h"
#include "search/predictor.h"
#include "search/request.h"

// Internal to search/: the inner search, over predictions instead of measurements.
namespace oqat::search {

/// A fitted predictor of one measured metric.
struct MetricModel {
  space::Metric metric;
  std::unique_ptr<Predictor> predictor;
};

/// One for each measured metric of the request, in the order of space::Metric, fitted on the latest
/// 3,000 of `history`'s usable evaluations. Empty if these are fewer than `least`.
std::vector<MetricModel> FitModels(const SearchRequest& request, const PredictorFactory& factory,
                                   std::span<const Measured> measured, std::size_t least,
                                   RandomStream& random);

/// What is thought of one architecture.
struct Predicted {
  space::Architecture architecture;
  Point point;                 ///< as RankingPoint: predicted means and exact costs
  std::vector<double> stddev;  ///< of each coordinate; 0 for costs
  double violation = 0;
  int rank = 0;
};

/// The best `kept` architectures by predicted rank and crowding that are allowed and unseen, in
/// that order. NSGA-II on predictions, about `budget` different architectures long, starting from
/// the best measured ones and from samples over all costs; a space that is smaller than the budget
/// is predicted as a whole. 50,000 predictions take about 0.2 s.
std::vector<Predicted> SearchPredicted(const GeneSpace& genes, const SearchRequest& request,
                                       const std::vector<MetricModel>& models,
                                       const History& history, Candidates& candidates,
                                       std::size_t budget, std::size_t kept, RandomStream& random);

}  // namespace oqat::search
