#include "supernet/train/device.h"

#include <ATen/Context.h>
#include <torch/cuda.h>

#include <charconv>
#include <string>

#include "base/error.h"

namespace oqat::supernet {
namespace {

std::string Allowed(int gpus) {
  if (gpus == 0) return "cpu (this build of LibTorch or this machine has no CUDA device)";
  return gpus == 1 ? "cpu, cuda, cuda:0" : "cpu, cuda, cuda:0 to cuda:" + std::to_string(gpus - 1);
}

}  // namespace

c10::Device ParseDevice(std::string_view text) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  const int gpus = static_cast<int>(torch::cuda::device_count());
  int index = text == "cuda" ? 0 : -1;
  constexpr std::string_view kPrefix = "cuda:";
  if (text.starts_with(kPrefix)) {
    const char* end = text.data() + text.size();
    const auto [stop, fault] = std::from_chars(text.data() + kPrefix.size(), end, index);
    if (fault != std::errc() || stop != end) index = -1;
  }
  if (index < 0 || index >= gpus) throw InvalidField("device", text, Allowed(gpus));
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

void ConfigureDevice(const c10::Device& device) {
  if (!device.is_cuda()) return;
  // TF32 is cuDNN's default in every LibTorch; for matrix products it is not.
  at::globalContext().setFloat32MatmulPrecision("high");
  at::globalContext().setBenchmarkCuDNN(true);
}

void Synchronize(const c10::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

}  // namespace oqat::supernet
