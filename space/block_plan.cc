#include "space/block_plan.h"

namespace oqat::space {

namespace {

BlockPlan FirstBlock(const SearchSpace& space) {
  BlockPlan block;
  block.in = block.mid = space.stem_width;
  block.out = space.first_block_width;
  block.activation = space.first_block_activation;
  block.expand = false;
  block.shortcut = block.in == block.out;
  return block;
}

}  // namespace

int BlockPlan::squeezed() const { return MakeDivisible(mid / 4); }

std::vector<BlockPlan> SubnetPlan(const SearchSpace& space, const Architecture& architecture) {
  std::vector<BlockPlan> plan{FirstBlock(space)};
  int in = space.first_block_width;
  for (int s = 0; s < space.num_stages(); ++s) {
    const Stage& stage = space.stages[s];
    for (int d = 0; d < architecture.depths[s]; ++d) {
      const int gene = s * space.max_depth() + d;
      BlockPlan block;
      block.index = gene + 1;
      block.in = in;
      block.mid = MakeDivisible(static_cast<double>(in) * architecture.expands[gene]);
      block.out = stage.width;
      block.kernel = architecture.kernels[gene];
      block.stride = d == 0 ? stage.stride : 1;
      block.activation = stage.activation;
      block.squeeze_excite = stage.squeeze_excite;
      block.shortcut = block.stride == 1 && block.in == block.out;
      plan.push_back(block);
      in = stage.width;
    }
  }
  return plan;
}

std::vector<BlockPlan> SupernetPlan(const SearchSpace& space) {
  return SubnetPlan(space, Largest(space, space.bits.front()));
}

}  // namespace oqat::space
