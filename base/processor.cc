#include "base/processor.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

namespace oqat {

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  return ProcessorNameFrom(file);
}

std::string ProcessorNameFrom(std::istream& cpuinfo) {
  // x86 has a "model name"; Arm has codes of its designer and of the design.
  std::map<std::string, std::string> facts;
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t key_end = line.find_last_not_of(" \t", colon == 0 ? 0 : colon - 1);
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    if (key_end == std::string::npos || value == std::string::npos) continue;
    facts.emplace(line.substr(0, key_end + 1), line.substr(value));
  }
  std::string name = facts["model name"];
  if (name.empty() && !facts["CPU part"].empty()) {
    name = "Arm implementer " + facts["CPU implementer"] + " part " + facts["CPU part"];
  }
  if (name.empty()) name = "unknown processor";
  // Behind a hypervisor different processors may all be an "AMD EPYC".
  std::string numbers;
  for (const auto& [key, word] :
       {std::pair{"cpu family", "family"}, std::pair{"model", "model"},
        std::pair{"stepping", "stepping"}, std::pair{"CPU variant", "variant"},
        std::pair{"CPU revision", "revision"}}) {
    if (!facts[key].empty()) numbers += (numbers.empty() ? "" : " ") + (word + (" " + facts[key]));
  }
  constexpr std::size_t kMost = 150;
  if (!numbers.empty()) {
    numbers = (", " + numbers).substr(0, kMost / 2);
    name = name.substr(0, kMost - numbers.size()) + numbers;
  }
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
  return name.substr(0, kMost);
}

}  // namespace oqat
