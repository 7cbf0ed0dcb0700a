#include "rpc/names.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "search/history.h"

namespace oqat::rpc {
namespace {

constexpr std::string_view kModels = "models/";
constexpr std::string_view kSearches = "searches/";
constexpr std::string_view kEvaluations = "/evaluations/";
constexpr std::string_view kWarm = "warm";

bool IsId(std::string_view id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !id.empty() && id.size() <= 63 && plain(id[0]) &&
         std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '-'; });
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

std::string ParseName(std::string_view collection, std::string_view name, std::string_view field) {
  if (!name.starts_with(collection) || !IsId(name.substr(collection.size()))) {
    throw InvalidField(field, Quoted(name),
                       std::string(collection) + "ID, ID being 1 to 63 of a-z, 0-9 and -");
  }
  return std::string(name.substr(collection.size()));
}

/// Digits without sign or leading zero, below a billion; -1 otherwise.
int ParseNumber(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.size() <= 9 && text == std::to_string(value) ? value : -1;
}

}  // namespace

void CheckId(std::string_view id, std::string_view field) {
  if (!IsId(id)) {
    throw InvalidField(field, Quoted(id), "1 to 63 of a-z, 0-9 and -, not beginning with -");
  }
}

std::string ModelName(std::string_view id) { return std::string(kModels).append(id); }
std::string SearchName(std::string_view id) { return std::string(kSearches).append(id); }

std::string EvaluationNameText(const EvaluationName& name) {
  return SearchName(name.search).append(kEvaluations) +
         (name.round == search::kWarmRound ? std::string(kWarm) : std::to_string(name.round)) +
         "-" + std::to_string(name.index);
}

std::string ParseModelName(std::string_view name, std::string_view field) {
  return ParseName(kModels, name, field);
}

std::string ParseSearchName(std::string_view name, std::string_view field) {
  return ParseName(kSearches, name, field);
}

EvaluationName ParseEvaluationName(std::string_view name, std::string_view field) {
  const std::size_t middle = name.find(kEvaluations);
  if (middle != std::string_view::npos) {
    const std::string_view leaf = name.substr(middle + kEvaluations.size());
    const std::size_t dash = leaf.find('-');
    if (dash != std::string_view::npos) {
      EvaluationName result;
      const bool warm = leaf.substr(0, dash) == kWarm;
      result.round = warm ? search::kWarmRound : ParseNumber(leaf.substr(0, dash));
      result.index = ParseNumber(leaf.substr(dash + 1));
      if ((warm || result.round >= 0) && result.index >= 0) {
        result.search = ParseName(kSearches, name.substr(0, middle), field);
        return result;
      }
    }
  }
  throw InvalidField(field, Quoted(name), "searches/ID/evaluations/ROUND-INDEX");
}

}  // namespace oqat::rpc
