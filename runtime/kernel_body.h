#pragma once
// The loops of every kernel, over a vector type V and a dot product D. Included once by each
// instruction set's file, inside its own namespace's types; nothing here may be inlined elsewhere.
//
// No function of the standard library that might be compiled out of line is used: the linker could
// keep a copy that needs this file's instructions for the whole program.
//
// V: F (8 floats), I (8 int32) and operations on them. D: Acc, First (a dot product of 4 codes and
// 4 weights per lane), Step (acc += such a one) and Total (the exact int32 sums); kBlocks is how
// many blocks of inputs, two steps each, may be added before Total.

#include "runtime/body_depthwise.h"
#include "runtime/body_float.h"
#include "runtime/body_gram.h"
#include "runtime/body_pointwise.h"
#include "runtime/body_small_map.h"

namespace oqat::runtime {
namespace {

/// The table of one instruction set.
/// Narrow and Wide are dot products of fours, NarrowPair and WidePair of pairs, Map of whole maps.
template <class V, class Narrow, class Wide, class NarrowPair, class WidePair, class Map>
constexpr Kernels TableOf(Isa isa) {
  Kernels table{};
  table.isa = isa;
  table.pointwise = [](const Pointwise& conv, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) {
      conv.narrow ? RunPointwise<V, Narrow>(conv, sink) : RunPointwise<V, Wide>(conv, sink);
    });
  };
  table.pointwise_sums = [](const Pointwise& conv, const ChannelSums& sums) {
    if (!conv.narrow) {
      RunPointwise<V, Wide>(conv, SumsSink<V, false>{sums});
    } else if (conv.in_channels <= kMostSmallInputs) {
      RunPointwise<V, Narrow>(conv, SumsSink<V, true>{sums});
    } else {
      RunPointwise<V, Narrow>(conv, SumsSink<V, false>{sums});
    }
  };
  table.pointwise_gram = RunPointwiseGram<V, Map>;
  table.depthwise = [](const Depthwise& conv, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) {
      conv.narrow ? RunDepthwise<V, NarrowPair>(conv, sink) : RunDepthwise<V, WidePair>(conv, sink);
    });
  };
  table.depthwise_sums = [](const Depthwise& conv, const ChannelSums& sums) {
    conv.narrow ? RunDepthwise<V, NarrowPair>(conv, SumsSink<V, true>{sums})
                : RunDepthwise<V, WidePair>(conv, SumsSink<V, false>{sums});
  };
  table.small_map = [](const SmallMap& conv, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) { RunSmallMap<V, Map>(conv, sink); });
  };
  table.small_map_sums = [](const SmallMap& conv, const ChannelSums& sums) {
    RunSmallMap<V, Map>(conv, SumsSink<V, true>{sums});
  };
  table.stem = [](const Stem& stem) { RunStem<V>(stem, StoreSink<V>{stem.out, stem.plane}); };
  table.stem_finish = [](const Stem& stem, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) { RunStem<V>(stem, sink); });
  };
  table.dense = RunDense<V>;
  table.finish = RunFinish<V>;
  table.finish_sums = RunFinishSums<V>;
  table.moments = RunMoments<V>;
  table.pool = RunPool<V>;
  table.gate = RunGate<V>;
  return table;
}

}  // namespace
}  // namespace oqat::runtime
