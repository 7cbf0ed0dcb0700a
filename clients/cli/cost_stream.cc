#include "clients/cli/cost_stream.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "clients/cli/text.h"

namespace oqat::clients {
namespace {

// Scans arrays of architectures in plain JSON: known keys without escapes, each once, numbers of
// at most seven digits. Every method returns false on anything else, also on valid JSON that is
// merely unusual: the caller then takes the slow road.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool Take(char c) {
    SkipSpace();
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  bool AtEnd() {
    SkipSpace();
    return at_ == end_;
  }

  bool Object(space::Architecture& a) {
    if (!Take('{')) return false;
    unsigned seen = 0;
    do {
      unsigned field = 0;
      if (!Key(a, field) || (seen & field) != 0) return false;
      seen |= field;
    } while (Take(','));
    return seen == kAll && Take('}');
  }

 private:
  static constexpr unsigned kAll = 31;

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }

  bool Word(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() ||
        std::string_view(at_, word.size()) != word) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  bool Key(space::Architecture& a, unsigned& field) {
    SkipSpace();
    if (Word("\"kernels\"")) return field = 1, Take(':') && List(a.kernels);
    if (Word("\"expands\"")) return field = 2, Take(':') && List(a.expands);
    if (Word("\"depths\"")) return field = 4, Take(':') && List(a.depths);
    if (Word("\"resolution\"")) return field = 8, Take(':') && Number(a.resolution);
    if (Word("\"bits\"")) return field = 16, Take(':') && Number(a.bits);
    return false;
  }

  bool Number(int& value) {
    SkipSpace();
    const char* first = at_;
    value = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - first < 8) {
      value = value * 10 + (*at_++ - '0');
    }
    const auto digits = at_ - first;
    return digits > 0 && digits < 8 && (digits == 1 || *first != '0');
  }

  bool List(std::vector<int>& list) {
    list.clear();
    if (!Take('[')) return false;
    do {
      int value = 0;
      if (!Number(value)) return false;
      list.push_back(value);
    } while (Take(','));
    return Take(']');
  }

  const char* at_;
  const char* end_;
};

std::optional<std::vector<space::Costs>> Scan(const space::SearchSpace& space,
                                              std::string_view text) {
  Scanner scanner(text);
  std::vector<space::Costs> costs;
  space::Architecture architecture;
  const auto one = [&] {
    if (!scanner.Object(architecture)) return false;
    costs.push_back(space::CostsOf(space, space::Canonical(space, architecture)));
    return true;
  };
  try {
    if (!scanner.Take('[')) {
      if (!one() || !scanner.AtEnd()) return std::nullopt;
      return costs;
    }
    do {
      if (!one()) return std::nullopt;
    } while (scanner.Take(','));
    if (!scanner.Take(']') || !scanner.AtEnd()) return std::nullopt;
    return costs;
  } catch (const Error&) {
    return std::nullopt;  // a gene outside its choices: the slow road names it
  }
}

void AppendField(std::string& out, std::string_view name, std::int64_t value) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(name).append(digits.data(), end);
}

}  // namespace

std::vector<space::Costs> CostsFromJsonText(const space::SearchSpace& space, std::string_view text,
                                            const std::string& where) {
  if (auto costs = Scan(space, text)) return std::move(*costs);
  const Json json = ParseJson(text, where);
  std::vector<space::Costs> costs;
  try {
    for (const space::Architecture& architecture : space::ArchitecturesFromJson(space, json)) {
      costs.push_back(space::CostsOf(space, architecture));
    }
  } catch (const Error& error) {
    throw WithContext(where, error);
  }
  return costs;
}

void AppendCostsJson(std::string& out, const space::Costs& costs) {
  AppendField(out, "{\"macs\":", costs.macs);
  AppendField(out, ",\"macs_quantized\":", costs.macs_quantized);
  AppendField(out, ",\"macs_float\":", costs.macs_float);
  AppendField(out, ",\"params\":", costs.params);
  AppendField(out, ",\"params_with_steps\":", costs.params_with_steps);
  AppendField(out, ",\"bitops\":", costs.bitops);
  AppendField(out, ",\"weight_bits\":", costs.weight_bits);
  out.append(",\"weighted_macs\":");
  AppendNumber(out, costs.weighted_macs);
  out.push_back('}');
}

std::string ReadFileOrStdin(const std::string& path) {
  if (path != "-") return ReadFile(path);
  std::string text;
  std::array<char, 1 << 16> buffer;
  std::size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), stdin)) > 0) {
    text.append(buffer.data(), count);
  }
  if (std::ferror(stdin) != 0) throw Error(Code::kInternal, "standard input: cannot be read");
  return text;
}

}  // namespace oqat::clients
