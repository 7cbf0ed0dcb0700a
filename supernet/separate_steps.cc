#include "supernet/separate_steps.h"

#include <map>
#include <string>
#include <utility>

#include "space/architecture.h"
#include "space/block_plan.h"

namespace oqat::supernet {
namespace {

/// Every shape that subnets use, by the convolution's name within the supernet.
std::map<std::string, std::pair<int, std::vector<ConvShape>>> ShapesByConv(
    const space::SearchSpace& space) {
  std::map<std::string, std::pair<int, std::vector<ConvShape>>> shapes;
  const auto add = [&](const std::string& name, int block, const ConvShape& shape) {
    auto& [index, list] = shapes[name];
    index = block;
    for (const ConvShape& known : list) {
      if (known == shape) return;
    }
    list.push_back(shape);
  };
  for (const int kernel : space.kernels) {
    for (const int expand : space.expands) {
      space::Architecture architecture = space::Largest(space, space.bits.front());
      architecture.kernels.assign(architecture.kernels.size(), kernel);
      architecture.expands.assign(architecture.expands.size(), expand);
      for (const space::BlockPlan& block : space::SubnetPlan(space, architecture)) {
        if (!block.expand) continue;
        const std::string prefix = artifacts::BlockPrefix(block.index);
        add(prefix + "inverted_bottleneck.conv.conv", block.index, {block.mid, block.in, 1});
        add(prefix + "depth_conv.conv.conv", block.index, {block.mid, 1, block.kernel});
        add(prefix + "point_linear.conv.conv", block.index, {block.out, block.mid, 1});
      }
    }
  }
  return shapes;
}

std::string Suffix(const ConvShape& shape) {
  return "_o" + std::to_string(shape[0]) + "i" + std::to_string(shape[1]) + "k" +
         std::to_string(shape[2]);
}

}  // namespace

void AddSeparateSteps(const space::SearchSpace& space, std::vector<artifacts::TensorSpec>& specs) {
  for (const auto& [name, conv] : ShapesByConv(space)) {
    for (const ConvShape& shape : conv.second) {
      for (const char* step : {".sa", ".sw"}) {
        specs.push_back({name + step + Suffix(shape), {1}, artifacts::TensorKind::kStep});
      }
    }
  }
}

std::map<std::string, artifacts::Tensor> WithSeparateSteps(
    const space::SearchSpace& space, std::map<std::string, artifacts::Tensor> tensors) {
  std::vector<artifacts::TensorSpec> specs;
  AddSeparateSteps(space, specs);
  for (const artifacts::TensorSpec& spec : specs) {
    const auto shared = tensors.find(spec.name.substr(0, spec.name.rfind('_')));
    if (shared != tensors.end()) tensors.emplace(spec.name, shared->second);
  }
  return tensors;
}

void RemoveSeparateSteps(const space::SearchSpace& space,
                         std::map<std::string, artifacts::Tensor>& tensors) {
  std::vector<artifacts::TensorSpec> specs;
  AddSeparateSteps(space, specs);
  for (const artifacts::TensorSpec& spec : specs) tensors.erase(spec.name);
}

void WireSeparateSteps(const space::SearchSpace& space, const NamedTensors& tensors,
                       NetLayers& net) {
  for (const auto& [name, conv] : ShapesByConv(space)) {
    const auto& [index, shapes] = conv;
    BlockLayers& block = net.blocks.at(static_cast<std::size_t>(index));
    const bool depth = name.find("depth_conv") != std::string::npos;
    const bool project = name.find("point_linear") != std::string::npos;
    ConvLayer& layer = depth ? block.depth : (project ? block.project : block.expand);
    for (const ConvShape& shape : shapes) {
      layer.separate_steps[shape] = {tensors.at(name + ".sa" + Suffix(shape)),
                                     tensors.at(name + ".sw" + Suffix(shape))};
    }
  }
}

}  // namespace oqat::supernet
