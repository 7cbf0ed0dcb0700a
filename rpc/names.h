#pragma once

#include <string>
#include <string_view>

// The one parser of resource names: models/{model}, searches/{search},
// searches/{search}/evaluations/{round}-{index}, "warm" being the round of what was known before. Ids are [a-z0-9][a-z0-9-]{0,62}. All parsers
// throw Error INVALID_ARGUMENT "FIELD: got ...; allowed: ...".
namespace oqat::rpc {

struct EvaluationName {
  std::string search;
  int round = 0;
  int index = 0;

  bool operator==(const EvaluationName&) const = default;
};

void CheckId(std::string_view id, std::string_view field);

std::string ModelName(std::string_view id);
std::string SearchName(std::string_view id);
std::string EvaluationNameText(const EvaluationName& name);

std::string ParseModelName(std::string_view name, std::string_view field);   ///< the id
std::string ParseSearchName(std::string_view name, std::string_view field);  ///< the id
EvaluationName ParseEvaluationName(std::string_view name, std::string_view field);

}  // namespace oqat::rpc
