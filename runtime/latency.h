#pragma once

#include "artifacts/evaluation_protocol.h"
#include "runtime/subnet.h"

namespace oqat::runtime {

/// Runs the first `count` images of `set` one after the other, from pixels to logits, in this
/// thread: first until caches and clocks are warm, then timed, again and again, for a third of a
/// second or 20 runs, whichever is longer. Other work on the same core shows up as spread.
artifacts::Latency MeasureLatency(Subnet& subnet, const artifacts::ImageSet& set,
                                  std::int64_t count);

}  // namespace oqat::runtime
