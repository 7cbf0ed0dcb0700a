#include "search/nsga3.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "search/candidates.h"
#include "search/nsga2.h"

namespace oqat::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kLeastParents = 4;
constexpr std::size_t kLeastPopulation = 48;
// In the search for extreme points, what the other axes count; as in the paper.
constexpr double kOffAxis = 1e-6;

// All ways to share `parts` equal parts out to the objectives.
std::vector<Point> Grid(std::size_t objectives, int parts) {
  std::vector<Point> grid;
  Point point(objectives, 0.0);
  const auto share = [&](const auto& self, std::size_t objective, int left) -> void {
    if (objective + 1 == objectives) {
      point[objective] = static_cast<double>(left) / parts;
      grid.push_back(point);
      return;
    }
    for (int part = 0; part <= left; ++part) {
      point[objective] = static_cast<double>(part) / parts;
      self(self, objective + 1, left - part);
    }
  };
  share(share, 0, parts);
  return grid;
}

// The finest grid of at most `most` points, 0 if not even the corners fit.
int FinestParts(std::size_t objectives, std::size_t most) {
  std::size_t size = 1;  // binomial(parts + objectives - 1, objectives - 1)
  for (int parts = 1;; ++parts) {
    size =
        size * (static_cast<std::size_t>(parts) + objectives - 1) / static_cast<std::size_t>(parts);
    if (size > most) return parts - 1;
  }
}

// Solves sum_m rows[k][m] x[m] = 1 for all k; nothing if the rows are (nearly) dependent.
std::optional<Point> SolveForOnes(std::vector<Point> rows) {
  const std::size_t n = rows.size();
  Point right(n, 1.0);
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::fabs(rows[row][column]) > std::fabs(rows[pivot][column])) pivot = row;
    }
    if (std::fabs(rows[pivot][column]) < 1e-12) return std::nullopt;
    std::swap(rows[column], rows[pivot]);
    std::swap(right[column], right[pivot]);
    for (std::size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = rows[row][column] / rows[column][column];
      for (std::size_t m = column; m < n; ++m) rows[row][m] -= factor * rows[column][m];
      right[row] -= factor * right[column];
    }
  }
  for (std::size_t k = 0; k < n; ++k) right[k] /= rows[k][k];
  return right;
}

// The squared distance of `point` from the line through the origin along `direction`.
double DistanceToLine(const Point& point, const Point& direction) {
  double along = 0, length = 0, norm = 0;
  for (std::size_t m = 0; m < point.size(); ++m) {
    along += point[m] * direction[m];
    length += direction[m] * direction[m];
    norm += point[m] * point[m];
  }
  return norm - along * along / length;
}

struct Niche {
  std::size_t direction = 0;
  double distance = kInfinity;
};

Niche NearestDirection(const Point& point, const std::vector<Point>& directions) {
  Niche nearest;
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const double distance = DistanceToLine(point, directions[d]);
    if (distance < nearest.distance) nearest = {d, distance};
  }
  return nearest;
}

}  // namespace

std::vector<Point> ReferenceDirections(std::size_t objectives, std::size_t most) {
  const int parts = std::max(1, FinestParts(objectives, most));
  std::vector<Point> directions = Grid(objectives, parts);
  // A point with a share for every objective needs as many parts.
  if (parts >= static_cast<int>(objectives) || directions.size() >= most) return directions;
  const int inner = FinestParts(objectives, most - directions.size());
  if (inner == 0) return directions;
  for (Point point : Grid(objectives, inner)) {
    for (double& value : point) value = (value + 1.0 / static_cast<double>(objectives)) / 2;
    directions.push_back(std::move(point));
  }
  return directions;
}

std::vector<Point> NormalizedByIntercepts(const std::vector<Point>& points,
                                          const std::vector<std::size_t>& front) {
  if (points.empty()) return {};
  const std::size_t objectives = points.front().size();
  Point ideal = points.front();
  for (const Point& point : points) {
    for (std::size_t m = 0; m < objectives; ++m) ideal[m] = std::min(ideal[m], point[m]);
  }
  std::vector<Point> moved = points;
  for (Point& point : moved) {
    for (std::size_t m = 0; m < objectives; ++m) point[m] -= ideal[m];
  }

  std::vector<Point> extremes;
  for (std::size_t axis = 0; axis < objectives; ++axis) {
    const auto scalarized = [&](std::size_t i) {
      double most = 0;
      for (std::size_t m = 0; m < objectives; ++m) {
        most = std::max(most, m == axis ? moved[i][m] : moved[i][m] / kOffAxis);
      }
      return most;
    };
    const auto extreme = std::min_element(
        front.begin(), front.end(),
        [&](std::size_t a, std::size_t b) { return scalarized(a) < scalarized(b); });
    extremes.push_back(moved[*extreme]);
  }
  // A plane x . inverse = 1 meets axis m at 1 / inverse[m].
  std::optional<Point> inverse = SolveForOnes(std::move(extremes));
  if (inverse && std::any_of(inverse->begin(), inverse->end(),
                             [](double v) { return !(v > 0 && std::isfinite(1 / v)); })) {
    inverse.reset();
  }
  Point scale(objectives, 0.0);
  for (std::size_t m = 0; m < objectives; ++m) {
    if (inverse) {
      scale[m] = 1 / (*inverse)[m];
    } else {
      for (const std::size_t i : front) scale[m] = std::max(scale[m], moved[i][m]);
    }
    if (!(scale[m] > 1e-12)) scale[m] = 1;  // all alike
  }
  for (Point& point : moved) {
    for (std::size_t m = 0; m < objectives; ++m) point[m] /= scale[m];
  }
  return moved;
}

std::vector<std::size_t> SelectByDirections(const std::vector<Point>& points,
                                            std::span<const double> violations,
                                            const std::vector<Point>& directions, std::size_t count,
                                            RandomStream& random) {
  const std::vector<int> ranks = ConstrainedRanks(points, violations);
  std::vector<std::vector<std::size_t>> fronts;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto rank = static_cast<std::size_t>(ranks[i]);
    if (fronts.size() <= rank) fronts.resize(rank + 1);
    fronts[rank].push_back(i);
  }
  std::vector<std::size_t> kept;
  std::size_t last = 0;
  for (; last < fronts.size() && kept.size() + fronts[last].size() <= count; ++last) {
    kept.insert(kept.end(), fronts[last].begin(), fronts[last].end());
  }
  if (last == fronts.size() || kept.size() == count) return kept;

  // Niches are those of the survivors and of the front that is split.
  std::vector<std::size_t> considered = kept;
  considered.insert(considered.end(), fronts[last].begin(), fronts[last].end());
  std::vector<Point> raw;
  std::vector<std::size_t> best;  // positions in `raw` of the first front
  for (const std::size_t i : considered) {
    if (ranks[i] == 0) best.push_back(raw.size());
    raw.push_back(points[i]);
  }
  const std::vector<Point> normalized = NormalizedByIntercepts(raw, best);
  std::vector<std::size_t> members(directions.size(), 0);
  std::vector<std::vector<std::pair<double, std::size_t>>> waiting(directions.size());
  for (std::size_t k = 0; k < considered.size(); ++k) {
    const Niche niche = NearestDirection(normalized[k], directions);
    if (k < kept.size()) {
      ++members[niche.direction];
    } else {
      waiting[niche.direction].emplace_back(niche.distance, considered[k]);
    }
  }
  for (auto& candidates : waiting) std::sort(candidates.begin(), candidates.end());
  while (kept.size() < count) {
    std::vector<std::size_t> emptiest;
    for (std::size_t d = 0; d < directions.size(); ++d) {
      if (waiting[d].empty()) continue;
      if (!emptiest.empty() && members[d] > members[emptiest.front()]) continue;
      if (!emptiest.empty() && members[d] < members[emptiest.front()]) emptiest.clear();
      emptiest.push_back(d);
    }
    const std::size_t d = random.Choose(emptiest);
    // The first of a niche is the closest; more of them are drawn.
    const std::size_t drawn = members[d] == 0 ? 0 : random.Below(waiting[d].size());
    kept.push_back(waiting[d][drawn].second);
    waiting[d].erase(waiting[d].begin() + static_cast<std::ptrdiff_t>(drawn));
    ++members[d];
  }
  return kept;
}

Nsga3Strategy::Nsga3Strategy(const space::SearchSpace& space, const SearchRequest& request)
    : request_(request),
      genes_(space, BitsOf(space, request)),
      population_(std::max(kLeastPopulation, static_cast<std::size_t>(2 * request.round_size))),
      directions_(ReferenceDirections(request.objectives.size(), population_)) {}

std::vector<space::Architecture> Nsga3Strategy::Propose(const History& history, int /*round*/,
                                                        int count, RandomStream& random) const {
  const std::vector<Individual> all = UsableIndividuals(request_, history);
  std::vector<Point> points;
  std::vector<double> violations;
  for (const Individual& individual : all) {
    points.push_back(individual.point);
    violations.push_back(individual.violation);
  }
  const std::vector<std::size_t> parents =
      SelectByDirections(points, violations, directions_, population_, random);

  Candidates candidates(genes_, request_, history);
  // The survivors are equally good; only violations make a difference.
  const auto parent = [&]() -> const space::Architecture& {
    const Individual& a = all[random.Choose(parents)];
    const Individual& b = all[random.Choose(parents)];
    return (b.violation < a.violation ? b : a).architecture;
  };
  const auto child = [&] { return OffspringOf(genes_, parent, random); };
  return Breed(candidates, parents.size() >= kLeastParents ? count : 0, child, count, random);
}

}  // namespace oqat::search
