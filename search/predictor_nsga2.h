#pragma once

#include <memory>
#include <vector>

#include "search/candidates.h"
#include "search/genes.h"
#include "search/nsga2.h"
#include "search/strategy.h"

// Internal to search/.
namespace oqat::search {

/// One fitted predictor for each measured metric of the request, in the order of space::Metric.
struct MetricModel {
  space::Metric metric;
  std::unique_ptr<Predictor> predictor;
};

/// Empty if too few usable evaluations are visible. Uses the latest few thousand.
std::vector<MetricModel> FitModels(const SearchRequest& request, const PredictorFactory& factory,
                                   const History& history, RandomStream& random);

/// Until results are seen: the smallest and largest of each bit width and samples spread over
/// bits and cost. Then, each round: fit, run NSGA-II on predictions and exact costs, measure a
/// spread-out slice of the predicted front and, with a quarter of the round, explore.
class PredictorNsga2Strategy : public Strategy {
 public:
  PredictorNsga2Strategy(const space::SearchSpace& space, const SearchRequest& request,
                         PredictorFactory factory);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  struct Prediction {
    Individual individual;
    double uncertainty = 0;  // summed over the measured metrics, each relative to its mean
  };

  void ProposeInitial(Candidates& candidates, std::vector<space::Architecture>& batch, int count,
                      RandomStream& random) const;
  std::vector<Prediction> Predict(const std::vector<MetricModel>& models,
                                  std::vector<space::Architecture> architectures) const;
  std::vector<Prediction> SearchPredicted(const std::vector<MetricModel>& models,
                                          const History& history, Candidates& candidates,
                                          RandomStream& random) const;
  void Spread(Candidates& candidates, std::vector<space::Architecture>& batch, int count,
              RandomStream& random) const;

  SearchRequest request_;
  PredictorFactory factory_;
  GeneSpace genes_;
};

}  // namespace oqat::search
