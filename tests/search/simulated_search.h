#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "search/history.h"
#include "search/predictor.h"
#include "search/request.h"
#include "search/strategy.h"
#include "space/search_space.h"

namespace oqat::search {

/// A smooth function of the genes in place of a trained supernet: bigger is better with falling
/// returns, some genes matter more than others, fewer bits cost accuracy. 0 to 1.
double SyntheticTop1(const space::SearchSpace& space, const space::Architecture& architecture);

/// A space of four sub-networks per resolution and bit width: 8 in all.
space::SearchSpace TinySpace();

/// GaussianProcess behind the Predictor interface, as the coordinator does it.
PredictorFactory GaussianFactory(const space::SearchSpace& space);

/// Runs a whole search as a coordinator would, with the request's lag, and measures by
/// SyntheticTop1. `warm` is known from the beginning and not returned. Every `fail_every`-th
/// candidate fails (0: none). Fails the test if a proposal is repeated, not canonical, too long or
/// outside its cost constraints.
std::vector<Measured> Simulate(const space::SearchSpace& space, const SearchRequest& request,
                               int fail_every = 0, const std::vector<Measured>& warm = {});

/// What round `round` may be proposed from when `all` is every candidate before it.
History VisibleHistory(const SearchRequest& request, const std::vector<Measured>& all, int round);

std::vector<std::string> Keys(const space::SearchSpace& space,
                              const std::vector<space::Architecture>& architectures);

/// What running `body` complained of; empty if it threw no Error.
template <typename Body>
std::string ErrorOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace oqat::search
