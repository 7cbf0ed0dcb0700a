#include "supernet/elastic_net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "artifacts/checkpoint.h"
#include "artifacts/supernet_tensors.h"
#include "base/error.h"
#include "base/random.h"
#include "supernet/extract.h"
#include "supernet/import_oqa.h"
#include "supernet/layers.h"
#include "supernet/lsq.h"
#include "supernet/subnet_evaluator.h"
#include "tests/supernet/parity.h"

namespace oqat::supernet {
namespace {

using artifacts::ActivationRange;
using testing::HasSubstr;

const std::string kGolden = std::string(OQAT_SOURCE_DIR) + "/tests/golden";

template <typename Work>
std::string MessageOf(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

const space::SearchSpace& Tiny() { return space::Preset("tiny-mbv3"); }

torch::Tensor Images(std::int64_t n, int size, std::uint64_t seed) {
  torch::Tensor x = torch::empty({n, 3, size, size});
  RandomStream random(seed);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.data_ptr<float>()[i] = static_cast<float>(random.Normal());
  }
  return x;
}

/// A quantized net whose step sizes one training pass of the largest subnet has set.
ElasticNet WarmNet(int bits, ActivationRange range) {
  ElasticNet net(Tiny(), bits, range, 5);
  net->train();
  net->Forward(Images(8, Tiny().max_resolution(), 1), space::Largest(Tiny(), bits));
  net->eval();
  return net;
}

TEST(Golden, Quantizer) { parity::CheckLsq(kGolden); }

TEST(Golden, LogitsAndRecalibration) {
  ASSERT_FALSE(parity::BitWidths(kGolden).empty());
  for (int bits : parity::BitWidths(kGolden)) {
    parity::CheckLogits(kGolden, bits);
    parity::CheckRecalibration(kGolden, bits);
  }
}

TEST(ElasticNet, EqualSeedsGiveEqualWeights) {
  ElasticNet a(Tiny(), 32, ActivationRange::kAuto, 7), b(Tiny(), 32, ActivationRange::kAuto, 7);
  ElasticNet c(Tiny(), 32, ActivationRange::kAuto, 8);
  EXPECT_EQ(a->ToTensors(), b->ToTensors());
  EXPECT_NE(a->ToTensors(), c->ToTensors());
}

TEST(ElasticNet, NamesAreTheCheckpoints) {
  ElasticNet net(Tiny(), 4, ActivationRange::kAuto, 7);
  std::set<std::string> registered, wanted;
  for (const auto& entry : net->named_parameters()) registered.insert(entry.key());
  for (const auto& entry : net->named_buffers()) registered.insert(entry.key());
  for (const artifacts::TensorSpec& spec : artifacts::SupernetTensors(Tiny()))
    wanted.insert(spec.name);
  EXPECT_EQ(registered, wanted);
  const auto groups = net->GroupParameters();
  EXPECT_EQ(groups.weights.size() + groups.transforms.size() + groups.norms.size() +
                groups.biases.size() + groups.steps.size(),
            net->parameters().size());
}

TEST(ElasticNet, BitInheritanceDoublesEveryStep) {
  ElasticNet net = WarmNet(4, ActivationRange::kAuto);
  std::vector<double> before;
  for (const auto& step : net->GroupParameters().steps) before.push_back(step.item<double>());
  net->SetBits(3);
  auto steps = net->GroupParameters().steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].item<double>(), 2 * before[i]);
  }
  net->SetBits(1);
  EXPECT_EQ(steps[0].item<double>(), 8 * before[0]);
  EXPECT_EQ(net->bits(), 1);
}

TEST(ElasticNet, FloatToQuantizedInitialisesOnTheFirstTrainingPassOnly) {
  ElasticNet net(Tiny(), 32, ActivationRange::kUnsigned, 5);
  const torch::Tensor x = Images(4, Tiny().max_resolution(), 1);
  net->SetBits(4);
  net->eval();
  net->Forward(x, space::Largest(Tiny(), 4));
  EXPECT_EQ(net->GroupParameters().steps[0].item<double>(), 1);
  net->train();
  net->Forward(x, space::Largest(Tiny(), 4));
  const ConvLayer& conv = net->layers().final_expand;
  const double expected = 2 * conv.weight.abs().mean().item<double>() / std::sqrt(7.0);
  EXPECT_NEAR(conv.weight_step.item<double>(), expected, 1e-6 * expected);
  net->Forward(2 * x, space::Smallest(Tiny(), 4));
  EXPECT_NEAR(conv.weight_step.item<double>(), expected, 1e-6 * expected);
}

TEST(ElasticNet, SeparateStepsAreUsedPerKernelAndWidth) {
  const space::SearchSpace space = Tiny();
  ElasticNet net(space, 4, ActivationRange::kAuto, 7,
                 StepOptions{StepInitialization::kLsq, StepSizes::kSeparate});
  net->train();
  const torch::Tensor x = Images(2, space.max_resolution(), 1);
  const auto largest = space::Largest(space, 4), smallest = space::Smallest(space, 4);
  const torch::Tensor before = net->Forward(x, largest).detach();
  std::size_t with_gradient = 0;
  for (const auto& [key, gradients_of] :
       {std::pair{std::string("largest"), largest}, std::pair{std::string("smallest"), smallest}}) {
    for (auto& step : net->GroupParameters().steps) step.mutable_grad() = torch::Tensor();
    net->Forward(x, gradients_of).sum().backward();
    std::size_t used = 0;
    for (const auto& step : net->GroupParameters().steps) used += step.grad().defined() ? 1 : 0;
    EXPECT_GT(used, 0u) << key;
    EXPECT_LT(used, net->GroupParameters().steps.size()) << key;
    with_gradient = used;
  }
  EXPECT_GT(net->GroupParameters().steps.size(), with_gradient);
  // The subnet that is taken out has the steps of its own shape.
  net->eval();
  FixedNet fixed(*net, smallest);
  EXPECT_TRUE(torch::equal(fixed.Forward(x), net->Forward(x, smallest)));
}

TEST(ElasticNet, TheLeastErrorStepIsNoWorseThanLsqs) {
  const LsqRange range = WeightCodes(2);
  const torch::Tensor v = Images(1, 37, 2).flatten();
  const auto error = [&](double step) {
    const torch::Tensor q = (v / step).clamp(range.low, range.high).round() * step;
    return (q - v).square().mean().item<double>();
  };
  const double mse = InitialStep(v, range, StepInitialization::kMse);
  EXPECT_LE(error(mse), error(InitialStep(v, range)));
  EXPECT_LE(error(mse), error(mse * 1.2));
  EXPECT_LE(error(mse), error(mse * 0.8));
  EXPECT_EQ(InitialStep(torch::zeros({5}), range, StepInitialization::kMse), 1);
}

TEST(ElasticNet, AutoRangeKeepsTheNegativeHalfOfBottlenecks) {
  ElasticNet kept = WarmNet(4, ActivationRange::kAuto);
  ElasticNet cut = WarmNet(4, ActivationRange::kUnsigned);
  EXPECT_TRUE(kept->layers().blocks[1].expand.signed_input);
  EXPECT_TRUE(kept->layers().final_expand.signed_input);
  EXPECT_FALSE(kept->layers().blocks[1].depth.signed_input);
  EXPECT_FALSE(kept->layers().feature_mix.signed_input);
  for (ConvLayer* conv : cut->layers().QuantizedConvs()) EXPECT_FALSE(conv->signed_input);
}

TEST(ElasticNet, InactiveGenesChangeNothing) {
  ElasticNet net = WarmNet(4, ActivationRange::kAuto);
  const torch::NoGradGuard no_grad;
  space::Architecture a = space::Smallest(Tiny(), 4), b = a;
  for (std::size_t i = 0; i < a.kernels.size(); ++i) {
    if (a.kernels[i] == 0) b.kernels[i] = Tiny().max_kernel(), b.expands[i] = Tiny().max_expand();
  }
  const torch::Tensor x = Images(2, Tiny().max_resolution(), 3);
  EXPECT_TRUE(torch::equal(net->Forward(x, a), net->Forward(x, b)));
}

TEST(ElasticNet, TrainingUpdatesActiveStatisticsAndGivesEveryActiveTensorAGradient) {
  ElasticNet net(Tiny(), 4, ActivationRange::kAuto, 5);
  net->train();
  net->Forward(Images(8, Tiny().max_resolution(), 1), space::Largest(Tiny(), 4)).sum().backward();
  for (const auto& entry : net->named_parameters()) {
    // The largest subnet uses the largest kernels as they are.
    if (entry.key().ends_with("_matrix")) continue;
    ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
    EXPECT_TRUE(entry.value().grad().isfinite().all().item<bool>()) << entry.key();
  }
  for (const auto& entry : net->named_buffers()) {
    if (!entry.key().ends_with("running_var")) continue;
    EXPECT_FALSE(torch::equal(entry.value(), torch::ones_like(entry.value()))) << entry.key();
  }
}

TEST(ElasticNet, RecalibrationLeavesInactiveChannelsAlone) {
  ElasticNet net = WarmNet(4, ActivationRange::kAuto);
  const auto before = net->ToTensors();
  const space::Architecture smallest = space::Smallest(Tiny(), 4);
  Recalibrate(*net, smallest, {Images(4, 32, 2)});
  const auto after = net->ToTensors();
  const std::string name = "blocks.1.mobile_inverted_conv.depth_conv.bn.bn.running_mean";
  const std::vector<float> old = artifacts::ToFloats(before.at(name));
  const std::vector<float> now = artifacts::ToFloats(after.at(name));
  const int active = space::SubnetPlan(Tiny(), smallest)[1].mid;
  ASSERT_LT(active, static_cast<int>(old.size()));
  EXPECT_NE(now[0], old[0]);
  for (std::size_t c = active; c < old.size(); ++c) EXPECT_EQ(now[c], old[c]);
  EXPECT_THAT(MessageOf([&] { Recalibrate(*net, smallest, {}); }), HasSubstr("calibration"));
}

TEST(ElasticNet, TensorsSurviveARoundTrip) {
  ElasticNet net = WarmNet(4, ActivationRange::kAuto);
  ElasticNet copy(Tiny(), 4, ActivationRange::kAuto, 99);
  copy->FromTensors(net->ToTensors(), "copy");
  copy->eval();
  EXPECT_EQ(copy->ToTensors(), net->ToTensors());
  const torch::Tensor x = Images(2, 32, 3);
  const space::Architecture a = space::Largest(Tiny(), 4);
  EXPECT_TRUE(torch::equal(net->Forward(x, a), copy->Forward(x, a)));
}

TEST(ElasticNet, BadTensorsAreNamedAndNothingIsCopied) {
  ElasticNet net(Tiny(), 4, ActivationRange::kAuto, 1);
  const auto good = net->ToTensors();
  const std::string name = "classifier.linear.bias";
  const auto message = [&](const std::map<std::string, artifacts::Tensor>& tensors) {
    return MessageOf([&] { net->FromTensors(tensors, "file.oqat"); });
  };
  auto bad = good;
  bad.erase(name);
  EXPECT_THAT(message(bad), HasSubstr("file.oqat: classifier.linear.bias: got no such tensor"));
  bad = good;
  bad["surplus"] = bad[name];
  EXPECT_THAT(message(bad), HasSubstr("surplus"));
  bad = good;
  bad[name].shape = {1, bad[name].shape[0]};
  EXPECT_THAT(message(bad), HasSubstr(name));
  bad = good;
  std::vector<float> values = artifacts::ToFloats(bad[name]);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  bad[name] = artifacts::TensorFromFloats(bad[name].shape, values.data());
  EXPECT_THAT(message(bad), HasSubstr(name + "[1]"));
  bad = good;
  bad["first_conv.bn.running_var"] = artifacts::TensorFromFloats(
      bad["first_conv.bn.running_var"].shape,
      std::vector<float>(artifacts::ToFloats(bad["first_conv.bn.running_var"]).size(), -1).data());
  EXPECT_THAT(message(bad), HasSubstr("running_var"));
  EXPECT_EQ(net->ToTensors(), good);
  EXPECT_THAT(MessageOf([&] { net->SetBits(9); }), HasSubstr("bits: got 9"));
}

TEST(Import, NamesTheKey) {
  const std::string state = kGolden + "/oqa_forward_state_b4.safetensors";
  const space::SearchSpace fits = space::OqaSpace(0.25, 10, {3, 5, 7}, {3, 4, 6}, {2, 3, 4});
  const artifacts::Checkpoint checkpoint = ImportOqa(state, fits, 4);
  EXPECT_EQ(checkpoint.tensors.size(), artifacts::SupernetTensors(fits).size());
  EXPECT_EQ(checkpoint.bits, 4);
  const space::SearchSpace other = space::OqaSpace(0.25, 11, {3, 5, 7}, {3, 4, 6}, {2, 3, 4});
  EXPECT_THAT(MessageOf([&] { ImportOqa(state, other, 4); }),
              testing::AllOf(HasSubstr("classifier.linear.weight"), HasSubstr(state)));
  const space::SearchSpace wider = space::OqaSpace(0.5, 10, {3, 5, 7}, {3, 4, 6}, {2, 3, 4});
  EXPECT_THAT(MessageOf([&] { ImportOqa(state, wider, 4); }), HasSubstr("shape ["));
  EXPECT_THAT(MessageOf([&] { ImportOqa(state, fits, 0); }), HasSubstr("bits: got 0"));
}

artifacts::EvaluationSet SmallSet() {
  artifacts::EvaluationSet set;
  set.class_names.resize(Tiny().num_classes);
  set.image_size = 32;
  RandomStream random(3);
  for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
    images->size = set.image_size;
    for (int i = 0; i < 12; ++i) {
      std::vector<std::uint8_t> pixels(images->bytes_per_image());
      for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
      images->Append(pixels.data(), static_cast<std::int32_t>(random.Below(Tiny().num_classes)));
    }
  }
  return set;
}

artifacts::Checkpoint TinyCheckpoint() {
  artifacts::Checkpoint checkpoint;
  checkpoint.space = Tiny();
  checkpoint.bits = 4;
  checkpoint.activation_range = ActivationRange::kAuto;
  checkpoint.tensors = WarmNet(4, ActivationRange::kAuto)->ToTensors();
  return checkpoint;
}

TEST(SubnetEvaluator, IsDeterministicAndForgetsTheLastSubnet) {
  const artifacts::EvaluationSet set = SmallSet();
  artifacts::EvaluationProtocol protocol;
  protocol.batch_size = 5;
  const space::Architecture small = space::Smallest(Tiny(), 4), large = space::Largest(Tiny(), 4);
  SubnetEvaluator evaluator(TinyCheckpoint());
  const artifacts::EvaluationResult first = evaluator.Evaluate(small, set, protocol);
  evaluator.Evaluate(large, set, protocol);
  const artifacts::EvaluationResult again = evaluator.Evaluate(small, set, protocol);
  EXPECT_EQ(first.images, 12);
  EXPECT_GT(first.loss, 0);
  EXPECT_EQ(first.top1, again.top1);
  EXPECT_EQ(first.loss, again.loss);
  protocol.images = 7;
  EXPECT_EQ(evaluator.Evaluate(small, set, protocol).images, 7);
}

TEST(SubnetEvaluator, RefusesWhatItCannotMeasure) {
  artifacts::EvaluationSet set = SmallSet();
  SubnetEvaluator evaluator(TinyCheckpoint());
  const space::Architecture small = space::Smallest(Tiny(), 4);
  const auto message = [&](const space::Architecture& a, const artifacts::EvaluationProtocol& p) {
    return MessageOf([&] { evaluator.Evaluate(a, set, p); });
  };
  artifacts::EvaluationProtocol protocol;
  protocol.images = 13;
  EXPECT_THAT(message(small, protocol), HasSubstr("images: got 13"));
  protocol.images = 0;
  protocol.batch_size = 0;
  EXPECT_THAT(message(small, protocol), HasSubstr("batch_size: got 0"));
  protocol.batch_size = 4;
  space::Architecture three = small;
  three.bits = 3;
  EXPECT_THAT(message(three, protocol), HasSubstr("architecture.bits: got 3"));
  EXPECT_THAT(MessageOf([&] {
                evaluator.Evaluate(small, set, protocol, [](auto, auto) { return false; });
              }),
              HasSubstr("stopped"));
  set.class_names.pop_back();
  EXPECT_THAT(message(small, protocol), HasSubstr("classes"));
  artifacts::Checkpoint broken = TinyCheckpoint();
  broken.tensors.erase("first_conv.conv.weight");
  EXPECT_THAT(MessageOf([&] { SubnetEvaluator again(broken); }),
              HasSubstr("first_conv.conv.weight"));
}

}  // namespace
}  // namespace oqat::supernet
