#include "base/processor.h"

#include <algorithm>
#include <fstream>
#include <map>

namespace oqat {

std::string ProcessorName() {
  // x86 has a "model name"; Arm has codes of its designer and of the design.
  std::map<std::string, std::string> facts;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
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
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
  if (name.size() > 150) name.resize(150);
  return name.empty() ? "unknown processor" : name;
}

}  // namespace oqat
