// One training step of a supernet, this project's against the same step written with plain tensor
// operations in NCHW (bench/plain_train_net.h), alternating in one process: forward and backward of
// the largest, the smallest and random subnets, in-place distillation, clipping, SGD. Both start
// from the same weights and see the same images; their losses and gradients are compared first, and
// a difference beyond rounding is an error. Loading and augmentation are in neither.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "bench/op_times.h"
#include "bench/plain_train_net.h"
#include "supernet/elastic_net.h"
#include "supernet/train/sgd.h"

namespace {

using Clock = std::chrono::steady_clock;
using oqat::space::Architecture;

struct Options {
  std::string space = "cifar10-mbv3";
  int bits = 4, batch = 64, randoms = 1, threads = 1, steps = 7;
  std::uint64_t seed = 1;
  bool ours_only = false;
};

constexpr oqat::bench::PlainTrainNet::Optimizer kOptimizer{0.01, 0.9, 3e-5, 1.0, 0.1};

using Forward = std::function<at::Tensor(const at::Tensor&, const Architecture&)>;

/// Losses of the sandwich, gradients summed; in-place distillation from the first subnet.
std::vector<double> Sandwich(const Forward& forward, const std::vector<Architecture>& subnets,
                             const at::Tensor& x, const at::Tensor& labels) {
  std::vector<double> losses;
  at::Tensor soft_labels;
  for (const Architecture& subnet : subnets) {
    const at::Tensor logits = forward(x, subnet);
    at::Tensor loss;
    if (losses.empty()) {
      loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Mean, -100, 0.1);
      soft_labels = at::softmax(logits.detach(), 1);
    } else {
      loss = -(at::log_softmax(logits, 1) * soft_labels).sum(1).mean();
    }
    losses.push_back(loss.item<double>());
    loss.backward();
  }
  return losses;
}

struct Batch {
  at::Tensor images, labels;
};

Batch RandomBatch(const Options& options, const oqat::space::SearchSpace& space) {
  oqat::RandomStream random(options.seed, "bench.train_step");
  const int size = space.max_resolution();
  Batch batch{at::empty({options.batch, 3, size, size}, at::kFloat),
              at::empty({options.batch}, at::kLong)};
  float* pixels = batch.images.data_ptr<float>();
  for (int i = 0; i < options.batch; ++i) {
    const auto label = static_cast<std::int64_t>(random.Below(space.num_classes));
    batch.labels.data_ptr<std::int64_t>()[i] = label;
    // Classes differ in brightness, so that the losses fall.
    for (int p = 0; p < 3 * size * size; ++p) {
      *pixels++ = static_cast<float>(random.Normal() + 0.3 * static_cast<double>(label) - 1.5);
    }
  }
  return batch;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Of several runs of a step. On a machine that is shared, processor time of one thread says more
/// than wall time.
struct Times {
  std::vector<double> wall_ms, cpu_ms;

  void Measure(const std::function<void()>& step) {
    const auto begin = Clock::now();
    const std::clock_t cpu_begin = std::clock();
    step();
    cpu_ms.push_back(1e3 * static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC);
    wall_ms.push_back(1e3 * std::chrono::duration<double>(Clock::now() - begin).count());
  }

  void Print(const char* what) const {
    std::printf("%-6s %8.1f ms/step wall (best %.1f), %.1f processor time (best %.1f)\n", what,
                Median(wall_ms), *std::min_element(wall_ms.begin(), wall_ms.end()), Median(cpu_ms),
                *std::min_element(cpu_ms.begin(), cpu_ms.end()));
  }
};

void PrintTimes(const char* what, const std::function<void()>& step) {
  {
    const oqat::bench::OpTimes times;
    step();
  }
  double sum = 0;
  for (const auto& [kind, seconds] : oqat::bench::OpTimes::Seconds()) sum += seconds;
  std::printf("%s, one observed step, %.1f ms:\n", what, 1e3 * sum);
  for (const auto& [kind, seconds] : oqat::bench::OpTimes::Seconds()) {
    std::printf("  %-44s %8.1f ms %5.1f %%\n", kind.c_str(), 1e3 * seconds, 100 * seconds / sum);
  }
}

/// Ours, and the plain net with the same weights.
struct Nets {
  Nets(const Options& options, int bits, at::ScalarType dtype, const Batch& batch,
       const std::vector<Architecture>& subnets)
      : images(batch.images.to(dtype)),
        channels_last(images.contiguous(at::MemoryFormat::ChannelsLast)),
        labels(batch.labels),
        net(oqat::space::Preset(options.space), bits, kRange, options.seed) {
    net->to(dtype);
    net->train();
    {
      const at::NoGradGuard no_grad;
      // Zero biases put channels that are constant exactly on the edge of the quantizer's range,
      // where rounding decides whether they get a gradient.
      oqat::RandomStream random(options.seed, "bench.biases");
      const auto groups = net->GroupParameters();
      for (const auto* group : {&groups.norms, &groups.biases}) {
        for (const at::Tensor& bias : *group) {
          for (std::int64_t i = 0; i < bias.numel(); ++i) bias[i] += 0.1 * random.Normal();
        }
      }
      net->Forward(images, subnets[0]);  // sets the step sizes
    }
    plain = std::make_unique<oqat::bench::PlainTrainNet>(net->space(), bits, kRange,
                                                         net->ToTensors(), dtype, kOptimizer);
    ours_forward = [this](const at::Tensor& x, const Architecture& a) {
      return net->Forward(x, a);
    };
    plain_forward = [this](const at::Tensor& x, const Architecture& a) {
      return plain->Forward(x, a);
    };
  }

  std::vector<double> OurGradients(const std::vector<Architecture>& subnets) const {
    return Sandwich(ours_forward, subnets, channels_last, labels);
  }
  std::vector<double> PlainGradients(const std::vector<Architecture>& subnets) const {
    return Sandwich(plain_forward, subnets, images, labels);
  }

  static constexpr auto kRange = oqat::artifacts::ActivationRange::kAuto;
  at::Tensor images, channels_last, labels;
  oqat::supernet::ElasticNet net;
  std::unique_ptr<oqat::bench::PlainTrainNet> plain;
  Forward ours_forward, plain_forward;
};

/// Throws Error if the losses or the gradients of the two differ by more than these shares.
void CheckEqual(const char* what, const Nets& nets, const std::vector<Architecture>& subnets,
                double loss_tolerance, double gradient_tolerance) {
  const std::vector<double> ours = nets.OurGradients(subnets);
  const std::vector<double> plain = nets.PlainGradients(subnets);
  double loss_difference = 0, difference = 0, norm = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    loss_difference = std::max(loss_difference, std::abs(ours[i] / plain[i] - 1));
  }
  for (const auto& entry : nets.net->named_parameters()) {
    const at::Tensor a = entry.value().grad(), b = nets.plain->Gradient(entry.key());
    if (a.defined() != b.defined()) {
      throw oqat::Error(oqat::Code::kInternal, entry.key() + ": only one net has a gradient");
    }
    if (!a.defined()) continue;
    difference += (a - b).square().sum().item<double>();
    norm += b.square().sum().item<double>();
  }
  const double gradient_difference = std::sqrt(difference / norm);
  std::printf("%s: losses differ by %.1e, gradients by %.1e of their norm\n", what, loss_difference,
              gradient_difference);
  if (!(loss_difference <= loss_tolerance && gradient_difference <= gradient_tolerance)) {
    throw oqat::Error(oqat::Code::kInternal,
                      std::string(what) + ": the two nets do not compute the same");
  }
}

void Run(const Options& options) {
  const oqat::space::SearchSpace& space = oqat::space::Preset(options.space);
  const int gene = options.bits == 32 ? space.bits.front() : options.bits;
  const Batch batch = RandomBatch(options, space);
  oqat::RandomStream random(options.seed, "bench.subnets");
  std::vector<Architecture> subnets{oqat::space::Largest(space, gene),
                                    oqat::space::Smallest(space, gene)};
  for (int i = 0; i < options.randoms; ++i) {
    subnets.push_back(oqat::space::SampleUniform(space, random));
  }
  if (!options.ours_only) {
    // Quantized in float32 the two cannot be compared: a sum in another order moves values over
    // rounding ties, and an untrained net makes much of that.
    CheckEqual("float64", Nets(options, options.bits, at::kDouble, batch, subnets), subnets, 1e-9,
               1e-6);
    CheckEqual("float32, not quantized", Nets(options, 32, at::kFloat, batch, subnets), subnets,
               1e-4, 0.03);
  }
  Nets nets(options, options.bits, at::kFloat, batch, subnets);
  const auto groups = nets.net->GroupParameters();
  oqat::supernet::Sgd sgd({{groups.weights, 1.0, kOptimizer.weight_decay},
                           {groups.transforms, 1.0, kOptimizer.weight_decay},
                           {groups.norms, 1.0, 0.0},
                           {groups.biases, 1.0, 0.0},
                           {groups.steps, kOptimizer.step_factor, 0.0}},
                          kOptimizer.momentum);
  const auto step = [&] {
    nets.OurGradients(subnets);
    sgd.ClipGradients(kOptimizer.gradient_clip);
    sgd.Step(kOptimizer.learning_rate);
    sgd.ZeroGradients();
  };
  const auto plain_step = [&] {
    nets.PlainGradients(subnets);
    nets.plain->Update();
  };
  step();
  Times ours, plain;
  for (int i = 0; i < options.steps; ++i) {
    // The plain step leaves other caches and memory behind: one step in between.
    if (!options.ours_only) {
      plain.Measure(plain_step);
      step();
    }
    for (int j = 0; j < 3; ++j) ours.Measure(step);
  }
  std::printf("%s, %d bits, batch %d, %zu subnets, %d thread(s), %d steps (x 3 of ours)\n",
              options.space.c_str(), options.bits, options.batch, subnets.size(), options.threads,
              options.steps);
  ours.Print("ours");
  if (!options.ours_only) {
    plain.Print("plain");
    std::printf("ratio of medians: wall %.2f, processor time %.2f\n",
                Median(plain.wall_ms) / Median(ours.wall_ms),
                Median(plain.cpu_ms) / Median(ours.cpu_ms));
  }
  PrintTimes("ours", step);
  if (!options.ours_only) PrintTimes("plain", plain_step);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"One training step, ours and with plain tensor operations"};
  Options options;
  app.add_option("--space", options.space, "space preset")->capture_default_str();
  app.add_option("--bits", options.bits, "1 to 8, or 32 for float")->capture_default_str();
  app.add_option("--batch", options.batch, "images")->check(CLI::Range(2, 4096));
  app.add_option("--random-subnets", options.randoms, "besides the largest and the smallest")
      ->check(CLI::Range(0, 64));
  app.add_option("--threads", options.threads, "LibTorch's threads")->check(CLI::Range(1, 256));
  app.add_option("--steps", options.steps, "plain steps; three of ours for each")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seed", options.seed, "of weights, images and subnets");
  app.add_flag("--ours-only", options.ours_only, "do not run the plain step");
  CLI11_PARSE(app, argc, argv);
  at::set_num_threads(options.threads);
  try {
    Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_train_step: %s\n", error.what());
    return 1;
  }
  return 0;
}
