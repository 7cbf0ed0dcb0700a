#include <algorithm>

#include "base/error.h"
#include "search/candidates.h"
#include "search/numbers.h"
#include "search/request.h"

namespace oqat::search {
namespace {

// Every cost grows with every gene, so its range ends at the smallest and the largest choices.
void CheckSingle(const space::SearchSpace& space, const std::vector<int>& bits,
                 const Constraint& constraint, const std::string& field) {
  const auto cost = [&](const space::Architecture& a) {
    return space::CostMetrics(space, a).at(constraint.metric);
  };
  double least = cost(space::Smallest(space, bits.front()));
  double most = cost(space::Largest(space, bits.front()));
  std::string widths;
  for (const int b : bits) {
    least = std::min(least, cost(space::Smallest(space, b)));
    most = std::max(most, cost(space::Largest(space, b)));
    widths += (widths.empty() ? "" : ", ") + std::to_string(b);
  }
  const std::string subject =
      std::string(space::MetricName(constraint.metric)) + " in this space at bits " + widths;
  if (constraint.max && *constraint.max < least) {
    throw InvalidField(field + ".max", ShowNumber(*constraint.max),
                       "at least " + ShowNumber(least) + ", the reachable minimum of " + subject);
  }
  if (constraint.min && *constraint.min > most) {
    throw InvalidField(field + ".min", ShowNumber(*constraint.min),
                       "at most " + ShowNumber(most) + ", the reachable maximum of " + subject);
  }
}

std::string Shown(const std::vector<Constraint>& constraints) {
  std::string text;
  for (const Constraint& constraint : constraints) {
    if (!space::IsCost(constraint.metric)) continue;
    const std::string name(space::MetricName(constraint.metric));
    if (constraint.min)
      text += (text.empty() ? "" : ", ") + name + " >= " + ShowNumber(*constraint.min);
    if (constraint.max)
      text += (text.empty() ? "" : ", ") + name + " <= " + ShowNumber(*constraint.max);
  }
  return text;
}

}  // namespace

void CheckReachable(const space::SearchSpace& space, const SearchRequest& request) {
  const std::vector<int> bits = BitsOf(space, request);
  bool any = false;
  for (std::size_t i = 0; i < request.constraints.size(); ++i) {
    if (!space::IsCost(request.constraints[i].metric)) continue;
    any = true;
    CheckSingle(space, bits, request.constraints[i], "constraints[" + std::to_string(i) + "]");
  }
  if (!any) return;

  const GeneSpace genes(space, bits);
  const History nothing;
  const Candidates candidates(genes, request, nothing);
  RandomStream random(request.seed, "search.reachable");
  const auto [closest, violation] = candidates.LeastViolating(random);
  if (violation == 0) return;
  const space::MetricValues costs = space::CostMetrics(space, closest);
  std::string found;
  for (const Constraint& constraint : request.constraints) {
    if (!space::IsCost(constraint.metric)) continue;
    const std::string name(space::MetricName(constraint.metric));
    const std::string shown = name + " " + ShowNumber(costs.at(constraint.metric));
    if (found.find(shown) == std::string::npos) found += (found.empty() ? "" : ", ") + shown;
  }
  throw InvalidField("constraints", Shown(request.constraints),
                     "bounds that one architecture can meet together; the closest found is " +
                         space::ToKey(space, closest) + " with " + found);
}

}  // namespace oqat::search
