// Times of the multi-objective core on 2,000 points, against what is asked of it (docs/RESULTS.md).
// Points are on the simplex or on a sphere around the ideal point (concave) or around the reference
// (convex), all on one front, or in the unit cube. Eight sets of points, the median, one thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "search/pareto.h"

namespace oqat::search {
namespace {

constexpr int kSets = 8;

std::vector<Point> Draw(const std::string& shape, std::size_t n, std::size_t dimensions, int set) {
  RandomStream random(1, "bench.moo", {dimensions, static_cast<std::uint64_t>(set)});
  std::vector<Point> points(n, Point(dimensions));
  for (Point& point : points) {
    double norm = 0;
    for (double& value : point) {
      value = random.Uniform();
      // Exponentials spread evenly over the simplex, absolute normals over the sphere.
      if (shape == "simplex") value = -std::log(1 - value);
      if (shape == "concave" || shape == "convex") value = std::fabs(random.Normal());
      norm += shape == "simplex" ? value : value * value;
    }
    if (shape == "cube") continue;
    for (double& value : point) {
      value /= shape == "simplex" ? norm : std::sqrt(norm);
      if (shape == "convex") value = 1 - value;
    }
  }
  return points;
}

// The median over sets and repeats; several sets, so that no branch is learned by heart.
double MedianMs(const std::vector<std::vector<Point>>& sets,
                const std::function<void(const std::vector<Point>&)>& work) {
  std::vector<double> times;
  double spent = 0;
  for (int repeat = 0; repeat < 50 && (repeat < kSets || spent < 1000); ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    work(sets[repeat % kSets]);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    times.push_back(took.count());
    spent += took.count();
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

// What is asked for; 0: nothing.
void Row(const char* what, const std::string& shape, std::size_t n, std::size_t dimensions,
         double limit_ms, const std::function<double(const std::vector<Point>&)>& work) {
  std::vector<std::vector<Point>> sets;
  for (int set = 0; set < kSets; ++set) sets.push_back(Draw(shape, n, dimensions, set));
  double result = 0;
  const double ms =
      MedianMs(sets, [&](const std::vector<Point>& points) { result = work(points); });
  std::printf("| %-12s | %6zu | %zu | %-7s | %10.3f | ", what, n, dimensions, shape.c_str(), ms);
  if (limit_ms > 0) {
    std::printf("%g | %s |", limit_ms, ms <= limit_ms ? "yes" : "NO");
  } else {
    std::printf("- | - |");
  }
  std::printf(" %.6g |\n", result);
  std::fflush(stdout);
}

void Run() {
  std::puts("| what | points | objectives | shape | ms | limit ms | within | result |");
  std::puts("|---|---|---|---|---|---|---|---|");
  const auto volume = [](const std::vector<Point>& points) {
    return Hypervolume(points, Point(points.front().size(), 1.1));
  };
  const auto fronts = [](const std::vector<Point>& points) {
    const std::vector<int> ranks = NonDominatedRanks(points);
    return 1.0 + *std::max_element(ranks.begin(), ranks.end());
  };
  const auto archive = [](const std::vector<Point>& points) {
    ParetoArchive kept;
    for (std::size_t i = 0; i < points.size(); ++i) kept.Insert(points[i], i);
    return static_cast<double>(kept.size());
  };
  for (const char* shape : {"simplex", "concave", "convex", "cube"}) {
    for (std::size_t dimensions = 2; dimensions <= 5; ++dimensions) {
      const double limit = dimensions == 2 ? 0.3 : dimensions == 4 ? 120 : 0;
      Row("hypervolume", shape, 2000, dimensions, limit, volume);
    }
  }
  for (const char* shape : {"simplex", "cube"}) {
    for (std::size_t dimensions = 2; dimensions <= 5; ++dimensions) {
      Row("fronts", shape, 2000, dimensions, dimensions == 2 ? 5 : 0, fronts);
      Row("fronts", shape, 10000, dimensions, 0, fronts);
    }
  }
  for (const char* shape : {"simplex", "cube"}) {
    for (const std::size_t dimensions : {std::size_t{2}, std::size_t{4}}) {
      Row("archive", shape, 10000, dimensions, 0, archive);
    }
  }
}

}  // namespace
}  // namespace oqat::search

int main() {
  oqat::search::Run();
  return 0;
}
