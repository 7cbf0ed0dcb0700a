#include "search/stagnation.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace oqat::search {
namespace {

Stagnation Over(const SearchRequest& request, const std::vector<double>& hypervolumes) {
  Stagnation rest;
  for (std::size_t r = 0; r < hypervolumes.size(); ++r) {
    rest = StagnationAfter(rest, request, static_cast<int>(r), hypervolumes[r]);
  }
  return rest;
}

TEST(Stagnation, IsReachedAfterRoundsOfLittleGrowth) {
  SearchRequest request;
  request.stop_after_stagnant_rounds = 3;
  EXPECT_EQ(Over(request, {0.5, 0.6, 0.6, 0.6}), (Stagnation{1, 0.6, -1}));
  EXPECT_EQ(Over(request, {0.5, 0.6, 0.6, 0.6, 0.6}), (Stagnation{1, 0.6, 4}));
  // Steps of half a thousandth are none alone, two of them are one.
  EXPECT_EQ(Over(request, {0.5, 0.50025, 0.5006, 0.5008, 0.5012}), (Stagnation{4, 0.5012, -1}));
  // What comes later changes nothing.
  EXPECT_EQ(Over(request, {0.5, 0.5, 0.5, 0.5, 0.9}), (Stagnation{4, 0.9, 3}));
}

TEST(Stagnation, WaitsForTheFirstPointOfTheFront) {
  SearchRequest request;
  request.stop_after_stagnant_rounds = 1;
  EXPECT_EQ(Over(request, {0, 0, 0, 0.1}).stopped_round, -1);
  EXPECT_EQ(Over(request, {0, 0, 0, 0.1, 0.1}).stopped_round, 4);
}

TEST(Stagnation, StopsNothingUnasked) {
  const SearchRequest request;
  const Stagnation rest = Over(request, std::vector<double>(100, 0.5));
  EXPECT_EQ(rest.stopped_round, -1);
  EXPECT_EQ(MostRounds(request, rest), std::numeric_limits<int>::max());
}

TEST(MostRounds, IncludeThoseUnderWay) {
  SearchRequest request;
  request.lag = 3;
  EXPECT_EQ(MostRounds(request, {5, 0.5, 9}), 12);  // rounds 10 and 11 see less than report 9
}

}  // namespace
}  // namespace oqat::search
