#pragma once

#include <map>
#include <string>
#include <vector>

#include "artifacts/evaluation_table.h"
#include "search/history.h"
#include "search/predictor.h"
#include "search/request.h"

namespace oqat::bench {

/// Searches that are measured by looking up a table of truth, and how near they come to its front.
class TableSearch {
 public:
  /// Predicts with `factory` where a strategy does.
  TableSearch(artifacts::EvaluationTable table, search::PredictorFactory factory);

  const space::SearchSpace& space() const { return table_.space; }
  std::size_t size() const { return all_.size(); }

  /// A whole search as a coordinator runs it, lag included; in the order of (round, index).
  std::vector<search::Measured> Run(const search::SearchRequest& request) const;

  /// The front of the whole table.
  std::vector<search::Measured> TrueFront(const search::SearchRequest& request) const;

  /// The volume that the front of `measured` dominates, as a share of what the table's front does:
  /// on the scale that searches report (from 0 % top1), and on the table's own, which begins at its
  /// worst top1 and so is the stricter one.
  struct Share {
    double reported = 0, strict = 0;
  };
  Share ShareOf(const search::SearchRequest& request,
                std::span<const search::Measured> measured) const;

 private:
  double StrictVolume(const std::vector<search::Measured>& front) const;

  artifacts::EvaluationTable table_;
  search::PredictorFactory factory_;
  std::vector<search::Measured> all_;
  std::map<space::Architecture, std::size_t> position_;
};

}  // namespace oqat::bench
