#include "supernet/train/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <numeric>

#include "artifacts/dataset.h"
#include "base/error.h"
#include "supernet/layers.h"
#include "supernet/train/device_batches.h"
#include "supernet/train/sgd.h"
#include "supernet/train/sgd_ops.h"
#include "supernet/train/stage_trainer.h"

namespace oqat::supernet {
namespace {

std::string Complaint(const std::string& text) {
  try {
    ParseDevice(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ParseDevice, NamesWhatThereIs) {
  EXPECT_TRUE(ParseDevice("cpu").is_cpu());
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda:99", "CPU"}) {
    EXPECT_THAT(Complaint(text),
                testing::StartsWith("device: got " + std::string(text) + "; allowed: cpu"))
        << text;
  }
  if (torch::cuda::device_count() == 0) {
    EXPECT_EQ(Complaint("cuda"),
              "device: got cuda; allowed: cpu (this build of LibTorch or this machine has no CUDA "
              "device)");
  } else {
    EXPECT_EQ(ParseDevice("cuda"), ParseDevice("cuda:0"));
  }
}

class DeviceTest : public testing::Test {
 protected:
  DeviceTest() : space_(space::Preset("tiny-mbv3")) {
    artifacts::DatasetOptions options;
    options.image_size = space_.max_resolution();
    images_ = artifacts::LoadDataset("synthetic:train=40,test=10", options).train;
    stage_.bits = 4;
    stage_.batch_size = 16;
  }

  BatchPlan Plan(std::int64_t first_step = 0) {
    std::vector<std::int64_t> indices(40);
    std::iota(indices.begin(), indices.end(), 0);
    const artifacts::Normalization normalization{{0.4, 0.5, 0.6}, {0.2, 0.25, 0.3}};
    return {recipe_, stage_, space_, images_, indices, normalization, 3, first_step};
  }

  struct Trained {
    std::vector<double> losses;
    std::map<std::string, artifacts::Tensor> tensors;
  };
  Trained Train(BatchSource& batches, const at::Device& device, int bits) {
    stage_.bits = bits;
    ElasticNet net(space_, bits, artifacts::ActivationRange::kAuto, 5);
    net->to(device);
    FloatTeacher no_teacher;
    StageTrainer trainer(net, recipe_, stage_, batches, no_teacher, 3, 0);
    Trained result;
    for (int step = 0; step < 3; ++step) result.losses.push_back(trainer.Step(0.02, 1));
    result.tensors = net->ToTensors();
    return result;
  }

  const space::SearchSpace space_;
  artifacts::ImageSet images_;
  Recipe recipe_;
  RecipeStage stage_;
};

TEST_F(DeviceTest, BatchesEqualThoseOfTheLoaderBitByBit) {
  recipe_.resolution_sampling = ResolutionSampling::kSubnet;
  recipe_.random_subnets = 3;
  recipe_.erase_probability = 0.5;
  recipe_.cutout = 7;
  const DeviceImages images = CopyToDevice(images_, at::kCPU);
  BatchLoader loader(Plan(2));
  DeviceBatches device(Plan(2), images);
  int resized = 0;
  for (int step = 0; step < 8; ++step) {
    const Batch expected = loader.Next(), got = device.Next();
    EXPECT_TRUE(torch::equal(got.labels, expected.labels));
    ASSERT_EQ(got.images.size(), expected.images.size());
    for (const auto& [resolution, batch] : expected.images) {
      EXPECT_TRUE(torch::equal(got.images.at(resolution), batch)) << step << ", " << resolution;
      EXPECT_TRUE(got.images.at(resolution).is_contiguous(at::MemoryFormat::ChannelsLast));
      if (resolution != images_.size) ++resized;
    }
  }
  EXPECT_GT(resized, 0);
}

TEST_F(DeviceTest, ImagesThatGrowAreEqualToo) {
  artifacts::ImageSet small{17, {}, images_.labels};
  small.pixels.resize(static_cast<std::size_t>(small.count() * small.bytes_per_image()));
  for (std::int64_t i = 0; i < small.count(); ++i) {
    artifacts::ResizeSquare(images_.image(i), images_.size,
                            small.pixels.data() + i * small.bytes_per_image(), small.size);
  }
  images_ = small;
  const DeviceImages images = CopyToDevice(images_, at::kCPU);
  BatchLoader loader(Plan());
  DeviceBatches device(Plan(), images);
  for (int step = 0; step < 4; ++step) {
    const Batch expected = loader.Next(), got = device.Next();
    EXPECT_TRUE(torch::equal(got.images.begin()->second, expected.images.begin()->second));
  }
}

TEST_F(DeviceTest, TrainingOnTheirBatchesIsTheSameTraining) {
  const DeviceImages images = CopyToDevice(images_, at::kCPU);
  BatchLoader loader(Plan());
  const Trained expected = Train(loader, at::kCPU, 4);
  DeviceBatches device(Plan(), images);
  const Trained got = Train(device, at::kCPU, 4);
  EXPECT_EQ(got.losses, expected.losses);
  EXPECT_EQ(got.tensors, expected.tensors);
}

// A module's move replaces what tensors hold, not the tensors: the layers' handles, the optimizer's
// and the module's stay one.
TEST_F(DeviceTest, AMovedNetKeepsItsHandles) {
  ElasticNet net(space_, 4, artifacts::ActivationRange::kAuto, 5);
  const auto before = net->GroupParameters();
  const auto check = [&](const at::TensorOptions& options) {
    const auto after = net->GroupParameters();
    ASSERT_EQ(after.weights.size(), before.weights.size());
    for (std::size_t i = 0; i < before.weights.size(); ++i) {
      ASSERT_TRUE(after.weights[i].is_same(before.weights[i])) << i;
    }
    for (const auto& tensor : net->parameters()) EXPECT_EQ(tensor.dtype(), options.dtype());
    for (const auto& tensor : net->buffers()) EXPECT_EQ(tensor.dtype(), options.dtype());
    NetLayers& layers = net->layers();
    EXPECT_EQ(layers.stem_bn.running_mean.dtype(), options.dtype());
    EXPECT_EQ(layers.stem_bn.running_mean.device(), options.device());
    const torch::Tensor x = torch::ones({4, 3, 16, 16}, options);
    net->train();
    net->Forward(x, space::Largest(space_, 4)).sum().backward();
    EXPECT_TRUE(before.weights[0].grad().defined());
    EXPECT_EQ(before.weights[0].grad().device(), options.device());
    EXPECT_TRUE(layers.QuantizedConvs()[0]->weight.grad().defined());
    for (const auto& parameter : net->parameters()) parameter.mutable_grad() = torch::Tensor();
  };
  net->to(torch::kFloat64);
  check(torch::TensorOptions(torch::kFloat64));
  net->to(torch::kFloat32);
  check(torch::TensorOptions(torch::kFloat32));
  if (torch::cuda::is_available()) {
    net->to(torch::kCUDA);
    check(torch::TensorOptions(torch::kFloat32).device(torch::kCUDA, 0));
  }
}

std::vector<torch::Tensor> Leaves(std::uint64_t seed, bool with_gradients) {
  std::vector<torch::Tensor> leaves;
  RandomStream random(seed);
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{8, 3, 3, 3}, {8}, {16, 8, 1, 1}, {1}}) {
    const auto make = [&] {
      torch::Tensor x = torch::empty(shape);
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        x.data_ptr<float>()[i] = static_cast<float>(random.Normal());
      }
      return x;
    };
    leaves.push_back(make().requires_grad_());
    if (with_gradients) leaves.back().mutable_grad() = make();
  }
  return leaves;
}

TEST(SgdByOps, EqualsThePointerPathToRounding) {
  for (const bool nesterov : {true, false}) {
    for (const double decay : {0.0, 0.01}) {
      const auto walked = Leaves(1, true), listed = Leaves(1, true);
      std::vector<torch::Tensor> momenta, gradients;
      for (const auto& leaf : listed) {
        momenta.push_back(torch::zeros_like(leaf.detach()));
        gradients.push_back(leaf.grad());
      }
      Sgd sgd({{walked, 0.5, decay}}, 0.9, nesterov);
      for (int step = 0; step < 3; ++step) {
        const double norm = sgd.ClipGradients(1.0), same = GradientNormByOps(gradients);
        EXPECT_NEAR(same, norm, 1e-5 * norm);
        if (same > 1) ScaleByOps(gradients, 1 / same);
        sgd.Step(0.1);
        SgdStepByOps(listed, gradients, momenta, {0.05, decay, 0.9, nesterov});
        for (std::size_t i = 0; i < listed.size(); ++i) {
          EXPECT_LE((listed[i] - walked[i]).abs().max().item<double>(), 2e-6) << i;
          EXPECT_LE((momenta[i] - sgd.momenta()[0][i]).abs().max().item<double>(), 2e-6) << i;
        }
      }
    }
  }
}

TEST(SgdByOps, NothingToDoIsNoError) {
  EXPECT_EQ(GradientNormByOps({}), 0);
  ScaleByOps({}, 2);
  SgdStepByOps({}, {}, {}, {});
}

TEST_F(DeviceTest, AGpuTrainsAsTheCpuDoes) {
  if (!torch::cuda::is_available()) {
    GTEST_SKIP() << "no CUDA device: this build of LibTorch or this machine has none";
  }
  const at::Device device = ParseDevice("cuda");
  ConfigureDevice(device);
  const DeviceImages images = CopyToDevice(images_, device);
  for (const int bits : {32, 4}) {
    stage_.bits = bits;
    BatchLoader loader(Plan());
    DeviceBatches batches(Plan(), images);
    EXPECT_TRUE(torch::equal(batches.Next().images.begin()->second.cpu(),
                             BatchLoader(Plan()).Next().images.begin()->second));
    DeviceBatches again(Plan(), images);
    const Trained cpu = Train(loader, at::kCPU, bits), gpu = Train(again, device, bits);
    // Other orders of sums and TF32 factors; a flipped code moves a loss by little.
    for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
      EXPECT_NEAR(gpu.losses[i], cpu.losses[i], 0.02 * cpu.losses[i]) << bits << " bit, step " << i;
    }
    ASSERT_EQ(gpu.tensors.size(), cpu.tensors.size());
    for (const auto& [name, tensor] : cpu.tensors) {
      EXPECT_EQ(gpu.tensors.at(name).shape, tensor.shape) << name;
    }
  }
}

}  // namespace
}  // namespace oqat::supernet
