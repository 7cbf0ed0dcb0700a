#include "clients/cli/cli.h"

#include <charconv>
#include <cstdint>
#include <cstdio>

#include "base/error.h"

namespace oqat::clients {

CLI::Validator SeedValidator() {
  // CLI11 itself wraps negative numbers around and cuts large ones off.
  return CLI::Validator(
      [](std::string& text) {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool good = error == std::errc() && end == text.data() + text.size();
        return good ? std::string() : "got " + text + "; allowed: 0 to 18446744073709551615";
      },
      "");
}

void Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(Code::kInternal, "standard output: cannot be written");
  }
}

}  // namespace oqat::clients
