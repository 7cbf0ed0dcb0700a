#include "supernet/import_oqa.h"

#include <string_view>
#include <utility>

#include "artifacts/safetensors.h"
#include "artifacts/supernet_tensors.h"
#include "base/error.h"

namespace oqat::supernet {

artifacts::Checkpoint ImportOqa(const std::string& path, const space::SearchSpace& space,
                                int bits) {
  if ((bits < 1 || bits > 8) && bits != 32) {
    throw InvalidField("bits", std::to_string(bits), "1 to 8, or 32 for float");
  }
  artifacts::SafeTensors file = artifacts::ReadSafeTensors(path);
  // BatchNorm's counters matter only to momentum None, which nobody here uses.
  constexpr std::string_view kCounter = ".num_batches_tracked";
  std::erase_if(file.tensors, [&](const auto& entry) { return entry.first.ends_with(kCounter); });
  artifacts::CheckTensors(artifacts::SupernetTensors(space), file.tensors, path);
  artifacts::Checkpoint checkpoint;
  checkpoint.space = space;
  checkpoint.bits = bits;
  checkpoint.activation_range = artifacts::ActivationRange::kUnsigned;
  checkpoint.lineage.recipe = {{"imported", "oqa"}};
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

}  // namespace oqat::supernet
