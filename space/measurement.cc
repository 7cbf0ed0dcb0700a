#include "space/measurement.h"

#include <algorithm>

#include "base/error.h"

namespace oqat::space {

const std::vector<std::string>& EngineNames() {
  static const std::vector<std::string> names = {"int8", "torch"};
  return names;
}

void CheckEngine(std::string_view name, std::string_view field) {
  const std::vector<std::string>& names = EngineNames();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw InvalidField(field, "\"" + std::string(name.substr(0, 80)) + "\"", "int8, torch");
  }
}

}  // namespace oqat::space
