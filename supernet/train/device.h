#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <c10/core/Device.h>

#include <string_view>

namespace oqat::supernet {

/// The device of "cpu", "cuda" (the first GPU) or "cuda:N". Throws Error INVALID_ARGUMENT naming
/// what this machine and this LibTorch have.
c10::Device ParseDevice(std::string_view text);

/// Sets LibTorch up for training on `device`; call once, before the first work on it. The CPU needs
/// nothing. On CUDA: cuDNN measures its algorithms for every shape, of which a space has few, and
/// matrix products and convolutions take TF32 factors with float32 sums. TF32 keeps 11 significant
/// bits: what it rounds off a factor is at most 2^-12 of it, where the codes of the finest trained
/// width (4 bit) are 1/15 of the range apart.
void ConfigureDevice(const c10::Device& device);

/// Waits until the device has done all that it was given: for measuring times.
void Synchronize(const c10::Device& device);

}  // namespace oqat::supernet
