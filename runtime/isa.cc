#include "runtime/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/error.h"

namespace oqat::runtime {

namespace {

bool Runs(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  switch (isa) {
    case Isa::kPortable: return true;
    case Isa::kAvx2: return avx2;
    case Isa::kVnni:
      return avx2 && __builtin_cpu_supports("avx512vnni") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  }
#endif
  return isa == Isa::kPortable;
}

/// The limit that an environment variable sets; kVnni if it is not set.
Isa Limit(const char* variable, const std::vector<std::pair<std::string_view, Isa>>& values) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return Isa::kVnni;
  std::string upper(text), allowed;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  for (const auto& [name, isa] : values) {
    if (upper == name) return isa;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  throw InvalidField(variable, text, allowed);
}

}  // namespace

std::string_view IsaName(Isa isa) {
  constexpr std::array<std::string_view, 3> kNames{"portable", "avx2", "vnni"};
  return kNames.at(static_cast<std::size_t>(isa));
}

std::vector<Isa> AvailableIsas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kVnni}) {
    if (Runs(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa DefaultIsa() {
  const Isa limit =
      std::min(Limit("ONEDNN_MAX_CPU_ISA", {{"SSE41", Isa::kPortable},
                                            {"AVX", Isa::kPortable},
                                            {"AVX2", Isa::kAvx2},
                                            {"AVX2_VNNI", Isa::kAvx2},
                                            {"AVX512_MIC", Isa::kAvx2},
                                            {"AVX512_MIC_4OPS", Isa::kAvx2},
                                            {"AVX512_CORE", Isa::kAvx2},
                                            {"AVX512_CORE_VNNI", Isa::kVnni},
                                            {"AVX512_CORE_BF16", Isa::kVnni},
                                            {"AVX512_CORE_FP16", Isa::kVnni},
                                            {"AVX512_CORE_AMX", Isa::kVnni},
                                            {"ALL", Isa::kVnni},
                                            {"DEFAULT", Isa::kVnni}}),
               Limit("OQAT_MAX_ISA",
                     {{"PORTABLE", Isa::kPortable}, {"AVX2", Isa::kAvx2}, {"VNNI", Isa::kVnni}}));
  Isa best = Isa::kPortable;
  for (const Isa isa : AvailableIsas()) {
    if (isa <= limit) best = isa;
  }
  return best;
}

}  // namespace oqat::runtime
