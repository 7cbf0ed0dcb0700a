#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "space/architecture.h"
#include "space/cost.h"
#include "space/search_space.h"

namespace oqat::clients {

/// The costs of one architecture or an array of them, in order, straight from JSON text: the usual
/// form is scanned without building a document (hundreds of thousands a second on one core).
/// Whatever the scanner does not accept goes through space::ArchitecturesFromJson, which decides
/// and words the complaint. Throws Error INVALID_ARGUMENT beginning with `where` (the file).
std::vector<space::Costs> CostsFromJsonText(const space::SearchSpace& space, std::string_view text,
                                            const std::string& where);

/// Appends {"macs":..,"macs_quantized":..,"macs_float":..,"params":..,"params_with_steps":..,
/// "bitops":..,"weight_bits":..,"weighted_macs":..}.
void AppendCostsJson(std::string& out, const space::Costs& costs);

/// All bytes of `path`, of standard input if it is "-". Throws Error naming the path.
std::string ReadFileOrStdin(const std::string& path);

}  // namespace oqat::clients
