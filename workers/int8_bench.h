#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "runtime/subnet.h"

namespace oqat::workers {

/// `oqat bench evaluate`: how fast this machine evaluates one architecture, with random weights.
struct Int8BenchRequest {
  std::string space;         ///< a preset's name or a file
  std::string architecture;  ///< JSON file, "-": stdin, "largest" or "smallest"
  int bits = 0;              ///< of largest and smallest; 0: the space's widest
  int resolution = 0;        ///< instead of the architecture's; may lie outside the space
  int threads = 1;           ///< evaluations side by side
  std::int64_t images = 1000;
  std::int64_t calibration_images = 500;
  std::uint64_t seed = 1;
  bool layers = false;  ///< also the time of every layer
};

/// Medians over five runs for compile_ms, one timed pass for each rate after a warm-up.
struct Int8BenchResult {
  std::string space, key, cpu;
  int bits = 0, resolution = 0, threads = 1;
  std::int64_t images = 0, calibration_images = 0, macs = 0;
  double load_ms = 0;     ///< a checkpoint's tensors to a quantized supernet, once per checkpoint
  double compile_ms = 0;  ///< one architecture, ready to run
  double recalibration_images_per_second = 0, images_per_second = 0;  ///< of all threads together
  double latency_ms = 0, latency_spread_ms = 0;    ///< one image in one thread, the others idle
  std::vector<runtime::Subnet::LayerTime> layers;  ///< of `images` images in one thread
};

/// Throws Error naming the option. `progress` takes (done, all) in steps of no unit.
Int8BenchResult RunInt8Bench(const Int8BenchRequest& request,
                             const std::function<void(double, double)>& progress);

Json ToJson(const Int8BenchResult& result);
std::string Text(const Int8BenchResult& result);

/// Adds `bench` to a program. Sets `run` when it is what the command line asks for.
void AddInt8Bench(CLI::App& app, std::function<int()>& run);

}  // namespace oqat::workers
