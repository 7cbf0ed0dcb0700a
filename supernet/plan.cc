#include "supernet/plan.h"

namespace oqat::supernet {

namespace {

using space::SearchSpace;

BlockPlan FirstBlock(const SearchSpace& space) {
  BlockPlan block;
  block.in = block.mid = space.stem_width;
  block.out = space.first_block_width;
  block.activation = space.first_block_activation;
  block.expand = false;
  block.shortcut = block.in == block.out;
  return block;
}

/// Appends tensors in the order in which the released code registers its modules.
class SpecList {
 public:
  void Add(std::string name, std::vector<std::int64_t> shape, TensorKind kind) {
    specs_.push_back({std::move(name), std::move(shape), kind});
  }

  void QuantConv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    Add(name + ".weight", {out, in, kernel, kernel}, TensorKind::kConvWeight);
    Add(name + ".sa", {1}, TensorKind::kStep);
    Add(name + ".sw", {1}, TensorKind::kStep);
  }

  void FloatConv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel,
                 bool bias) {
    Add(name + ".weight", {out, in, kernel, kernel}, TensorKind::kConvWeight);
    if (bias) Add(name + ".bias", {out}, TensorKind::kBias);
  }

  void BatchNorm(const std::string& name, std::int64_t channels) {
    Add(name + ".weight", {channels}, TensorKind::kBnWeight);
    Add(name + ".bias", {channels}, TensorKind::kBnBias);
    Add(name + ".running_mean", {channels}, TensorKind::kRunningMean);
    Add(name + ".running_var", {channels}, TensorKind::kRunningVar);
  }

  std::vector<TensorSpec> Take() { return std::move(specs_); }

 private:
  std::vector<TensorSpec> specs_;
};

/// `elastic`: with transform matrices and the elastic layers' names.
std::vector<TensorSpec> NetTensors(const SearchSpace& space, const std::vector<BlockPlan>& plan,
                                   bool elastic) {
  SpecList list;
  list.FloatConv("first_conv.conv", space.stem_width, space.input_channels, 3, false);
  list.BatchNorm("first_conv.bn", space.stem_width);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const BlockPlan& block = plan[i];
    const std::string prefix = BlockPrefix(static_cast<int>(i));
    // The released code wraps the layers of elastic blocks once more.
    const bool wrapped = elastic && block.expand;
    const std::string conv = wrapped ? ".conv.conv" : ".conv";
    const std::string bn = wrapped ? ".bn.bn" : ".bn";
    if (block.expand) {
      list.QuantConv(prefix + "inverted_bottleneck" + conv, block.mid, block.in, 1);
      list.BatchNorm(prefix + "inverted_bottleneck" + bn, block.mid);
    }
    if (wrapped) {
      for (std::size_t k = 0; k + 1 < space.kernels.size(); ++k) {
        const std::int64_t side = std::int64_t{space.kernels[k]} * space.kernels[k];
        list.Add(
            prefix + "depth_conv.conv." + TransformName(space.kernels[k + 1], space.kernels[k]),
            {side, side}, TensorKind::kTransform);
      }
    }
    list.QuantConv(prefix + "depth_conv" + conv, block.mid, 1, block.kernel);
    list.BatchNorm(prefix + "depth_conv" + bn, block.mid);
    if (block.squeeze_excite) {
      list.FloatConv(prefix + "depth_conv.se.fc.reduce", block.squeezed(), block.mid, 1, true);
      list.FloatConv(prefix + "depth_conv.se.fc.expand", block.mid, block.squeezed(), 1, true);
    }
    list.QuantConv(prefix + "point_linear" + conv, block.out, block.mid, 1);
    list.BatchNorm(prefix + "point_linear" + bn, block.out);
  }
  list.QuantConv("final_expand_layer.conv", space.final_expand_width, plan.back().out, 1);
  list.BatchNorm("final_expand_layer.bn", space.final_expand_width);
  list.QuantConv("feature_mix_layer.conv", space.feature_mix_width, space.final_expand_width, 1);
  list.Add("classifier.linear.weight", {space.num_classes, space.feature_mix_width},
           TensorKind::kLinearWeight);
  list.Add("classifier.linear.bias", {space.num_classes}, TensorKind::kBias);
  return list.Take();
}

}  // namespace

int BlockPlan::squeezed() const { return space::MakeDivisible(mid / 4); }

std::vector<BlockPlan> SubnetPlan(const SearchSpace& space,
                                  const space::Architecture& architecture) {
  std::vector<BlockPlan> plan{FirstBlock(space)};
  int in = space.first_block_width;
  for (int s = 0; s < space.num_stages(); ++s) {
    const space::Stage& stage = space.stages[s];
    for (int d = 0; d < architecture.depths[s]; ++d) {
      const int gene = s * space.max_depth() + d;
      BlockPlan block;
      block.index = gene + 1;
      block.in = in;
      block.mid = space::MakeDivisible(static_cast<double>(in) * architecture.expands[gene]);
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
  return SubnetPlan(space, space::Largest(space, space.bits.front()));
}

std::vector<TensorSpec> SupernetTensors(const SearchSpace& space) {
  return NetTensors(space, SupernetPlan(space), true);
}

std::vector<TensorSpec> SubnetTensors(const SearchSpace& space,
                                      const std::vector<BlockPlan>& plan) {
  return NetTensors(space, plan, false);
}

std::string BlockPrefix(int index) {
  return "blocks." + std::to_string(index) + ".mobile_inverted_conv.";
}

std::string TransformName(int from, int to) {
  return std::to_string(from) + "to" + std::to_string(to) + "_matrix";
}

}  // namespace oqat::supernet
