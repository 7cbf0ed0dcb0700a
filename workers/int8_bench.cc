#include "workers/int8_bench.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

#include "artifacts/random_checkpoint.h"
#include "base/error.h"
#include "base/files.h"
#include "base/processor.h"
#include "base/progress.h"
#include "base/random.h"
#include "runtime/latency.h"
#include "space/cost.h"

namespace oqat::workers {
namespace {

using Clock = std::chrono::steady_clock;

/// Different images kept in memory; more are these again.
constexpr std::int64_t kDistinctImages = 128;
constexpr std::int64_t kBatch = 100;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

space::Architecture ArchitectureOf(const Int8BenchRequest& request,
                                   const space::SearchSpace& space) {
  const std::string& given = request.architecture;
  if (given == "largest" || given == "smallest") {
    const int bits = request.bits != 0 ? request.bits : space.bits.front();
    space::Architecture architecture =
        given == "largest" ? space::Largest(space, bits) : space::Smallest(space, bits);
    return space::Canonical(space, architecture);
  }
  const std::string where = given == "-" ? "stdin" : given;
  try {
    const std::string text =
        given == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : ReadFile(given);
    return space::Canonical(space, space::ArchitectureFromJson(space, ParseJson(text, "JSON")));
  } catch (const Error& error) {
    if (error.code() == Code::kNotFound) throw;  // names the file itself
    throw WithContext(where, error);
  }
}

artifacts::ImageSet Noise(int size, std::int64_t count, std::uint64_t seed) {
  artifacts::ImageSet set;
  set.size = size;
  RandomStream random(seed, "workers.bench");
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(set.bytes_per_image()));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
    set.Append(pixels.data(), 0);
  }
  return set;
}

void Check(const char* field, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw InvalidField(field, std::to_string(value),
                       std::to_string(low) + " to " + std::to_string(high));
  }
}

/// Time from when all threads begin `work(thread)` until the last one ends.
template <class Work>
double TimeOfAll(int threads, const Work& work) {
  std::barrier start(threads + 1);
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      start.arrive_and_wait();
      work(t);
    });
  }
  start.arrive_and_wait();
  const auto began = Clock::now();
  running.clear();
  return SecondsSince(began);
}

/// Microseconds.
double PerImage(const Int8BenchResult& result, double seconds) {
  return 1e6 * seconds / static_cast<double>(result.images);
}

}  // namespace

Int8BenchResult RunInt8Bench(const Int8BenchRequest& request,
                             const std::function<void(double, double)>& progress) {
  Check("--threads", request.threads, 1, 256);
  Check("--images", request.images, 1, 100'000'000);
  Check("--calibration", request.calibration_images, 1, 1'000'000);
  space::SearchSpace space = space::LoadSpace(request.space);
  space::Architecture architecture = ArchitectureOf(request, space);
  if (request.resolution != 0) {
    Check("--resolution", request.resolution, 8, 1024);
    architecture.resolution = request.resolution;
    space.resolutions = {request.resolution};
  }

  Int8BenchResult result;
  const runtime::Kernels& kernels = runtime::KernelsFor(runtime::DefaultIsa());
  result.space = space.name;
  result.key = space::ToKey(space, architecture);
  result.cpu = ProcessorName() + ", " + std::string(runtime::IsaName(kernels.isa));
  result.bits = architecture.bits;
  result.resolution = architecture.resolution;
  result.threads = request.threads;
  result.images = request.images;
  result.calibration_images = request.calibration_images;
  result.macs = space::CostsOf(space, architecture).macs;

  auto began = Clock::now();
  const artifacts::Checkpoint checkpoint =
      artifacts::RandomCheckpoint(space, architecture.bits, request.seed);
  began = Clock::now();
  const runtime::QuantizedSupernet supernet(checkpoint, "random weights");
  result.load_ms = 1000 * SecondsSince(began);
  const artifacts::ImageSet images =
      Noise(architecture.resolution, std::min(request.images, kDistinctImages), request.seed);

  std::vector<double> compile;
  for (int i = 0; i < 5; ++i) {
    began = Clock::now();
    const runtime::Subnet subnet(supernet, architecture, kernels);
    compile.push_back(1000 * SecondsSince(began));
  }
  std::sort(compile.begin(), compile.end());
  result.compile_ms = compile[compile.size() / 2];

  std::vector<std::unique_ptr<runtime::Subnet>> subnets;
  for (int t = 0; t < request.threads; ++t) {
    subnets.push_back(std::make_unique<runtime::Subnet>(supernet, architecture, kernels));
  }
  const double total = static_cast<double>(request.calibration_images + request.images);
  const auto tell = [&](int thread, std::int64_t done) {
    if (thread == 0 && progress) progress(static_cast<double>(done), total);
  };
  const auto calibrate = [&](int thread, std::int64_t wanted) {
    // Every call begins new statistics; the time of one is the same in one call or in several.
    for (std::int64_t done = 0; done < wanted;) {
      const std::int64_t count = std::min({wanted - done, images.count(), kBatch});
      subnets[static_cast<std::size_t>(thread)]->Recalibrate(images, 0, count, kBatch);
      tell(thread, done += count);
    }
  };
  calibrate(0, std::min(kBatch, request.calibration_images));
  for (int t = 1; t < request.threads; ++t) calibrate(t, 1);
  double seconds =
      TimeOfAll(request.threads, [&](int t) { calibrate(t, request.calibration_images); });
  result.recalibration_images_per_second =
      static_cast<double>(request.threads * request.calibration_images) / seconds;

  const auto infer = [&](int t) {
    std::vector<float> logits(static_cast<std::size_t>(kDistinctImages * space.num_classes));
    for (std::int64_t done = 0; done < request.images;) {
      const std::int64_t count = std::min(request.images - done, images.count());
      subnets[static_cast<std::size_t>(t)]->Run(images, 0, count, logits.data());
      done += count;
      tell(t, request.calibration_images + done);
    }
  };
  seconds = TimeOfAll(request.threads, infer);
  result.images_per_second = static_cast<double>(request.threads * request.images) / seconds;

  const artifacts::Latency latency = runtime::MeasureLatency(*subnets[0], images, images.count());
  result.latency_ms = latency.median_ms;
  result.latency_spread_ms = latency.spread_ms;
  if (request.layers) {
    subnets[0]->EnableTiming(true);
    infer(0);
    result.layers = subnets[0]->TakeTimes();
  }
  return result;
}

Json ToJson(const Int8BenchResult& result) {
  Json json = {{"engine", "int8"},
               {"space", result.space},
               {"key", result.key},
               {"bits", result.bits},
               {"resolution", result.resolution},
               {"macs", result.macs},
               {"cpu", result.cpu},
               {"threads", result.threads},
               {"images", result.images},
               {"calibration_images", result.calibration_images},
               {"load_ms", result.load_ms},
               {"compile_ms", result.compile_ms},
               {"recalibration_images_per_second", result.recalibration_images_per_second},
               {"images_per_second", result.images_per_second},
               {"latency_ms", result.latency_ms},
               {"latency_spread_ms", result.latency_spread_ms}};
  for (const auto& layer : result.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"kind", layer.kind},
                              {"macs", layer.macs / result.images},
                              {"microseconds", PerImage(result, layer.seconds)}});
  }
  return json;
}

std::string Text(const Int8BenchResult& result) {
  std::array<char, 1200> text{};
  std::snprintf(text.data(), text.size(),
                "space          %s\narchitecture   %s\n               %d bit, %d px, %.1f MMAC\n"
                "processor      %s, %d thread%s\n"
                "checkpoint     %.1f ms to load, once\ncompile        %.2f ms\n"
                "recalibration  %.1f images/s\ninference      %.1f images/s, %.1f GMAC/s\n"
                "latency        %.3f ms, spread %.3f ms (one image, one thread)\n",
                result.space.c_str(), result.key.c_str(), result.bits, result.resolution,
                static_cast<double>(result.macs) / 1e6, result.cpu.c_str(), result.threads,
                result.threads == 1 ? "" : "s", result.load_ms, result.compile_ms,
                result.recalibration_images_per_second, result.images_per_second,
                result.images_per_second * static_cast<double>(result.macs) / 1e9,
                result.latency_ms, result.latency_spread_ms);
  std::string all = text.data();
  double total = 0;
  for (const auto& layer : result.layers) total += layer.seconds;
  for (const auto& layer : result.layers) {
    std::snprintf(text.data(), text.size(), "%-32s %-16s %9.1f us %5.1f %% %7.1f GMAC/s\n",
                  layer.layer.c_str(), layer.kind.c_str(), PerImage(result, layer.seconds),
                  100 * layer.seconds / total,
                  static_cast<double>(layer.macs) / layer.seconds / 1e9);
    all += text.data();
  }
  return all;
}

void AddInt8Bench(CLI::App& app, std::function<int()>& run) {
  const auto request = std::make_shared<Int8BenchRequest>();
  const auto json = std::make_shared<bool>(false);
  const auto engine = std::make_shared<std::string>("int8");
  CLI::App& bench = *app.add_subcommand(
      "bench", "How fast this machine evaluates an architecture, with random weights.");
  bench.add_option("--space", request->space, "name of a space or a file")->required();
  bench
      .add_option("--arch", request->architecture,
                  "JSON file of one architecture; - reads stdin; or largest, smallest")
      ->required();
  bench.add_option("--engine", *engine, "int8 (bench/ compares it with LibTorch)")
      ->capture_default_str();
  bench.add_option("--bits", request->bits, "of largest and smallest (default: the widest)");
  bench.add_option("--resolution", request->resolution,
                   "instead of the architecture's; may lie outside the space");
  bench.add_option("--threads", request->threads, "evaluations side by side")
      ->capture_default_str();
  bench.add_option("--images", request->images, "images to run, per thread")->capture_default_str();
  bench.add_option("--calibration", request->calibration_images, "images to recalibrate on")
      ->capture_default_str();
  bench.add_option("--seed", request->seed, "of weights and images")->capture_default_str();
  bench.add_flag("--layers", request->layers, "also the time of every layer");
  bench.add_flag("--json", *json, "print JSON");
  bench.callback([request, json, engine, &run] {
    run = [request, json, engine] {
      if (*engine != "int8") throw InvalidField("--engine", "\"" + *engine + "\"", "int8");
      ProgressBar bar("measuring");
      const Int8BenchResult result = RunInt8Bench(*request, [&](double done, double total) {
        if (::isatty(STDERR_FILENO) != 0) bar.Update(done, total);
      });
      bar.Finish();
      const std::string text = *json ? ToJson(result).dump(2) + "\n" : Text(result);
      std::fwrite(text.data(), 1, text.size(), stdout);
      return std::fflush(stdout) == 0 ? 0 : 1;
    };
  });
}

}  // namespace oqat::workers
