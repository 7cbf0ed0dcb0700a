#pragma once

#include <cstdint>
#include <vector>

#include "artifacts/image.h"
#include "runtime/input.h"
#include "runtime/layers.h"
#include "runtime/operators.h"

namespace oqat::runtime {

/// Runs images through a subnet's layers: which of them together, and where everything lies.
class Runner {
 public:
  Runner(const QuantizedSupernet& supernet, const space::Architecture& architecture,
         const Kernels& kernels);

  Layers& layers() { return layers_; }
  Operators& operators() { return operators_; }
  const QuantizedSupernet& supernet() const { return supernet_; }

  /// A batch through all layers that have statistics.
  void Calibrate(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end);

  /// At most kHeadImages images; writes [end - begin, classes] logits.
  void Run(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end, float* logits);

 private:
  /// Input of a block, output of the one before: planes that begin with some group's first image.
  struct Place {
    std::uint8_t* codes = nullptr;
    float* real = nullptr;  ///< null unless they are added to again
    std::int64_t plane = 0;
  };
  /// What a segment's blocks hand on, kept between calls.
  struct Buffers {
    std::vector<std::uint8_t> codes;
    std::vector<float> real;
  };

  Place InputOf(std::size_t index, std::int64_t images, std::int64_t offset = 0);
  Place OutputOf(std::size_t segment, std::size_t block, std::int64_t images);
  void RunStem(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
               const Place& output);
  template <class OutputPlace>
  void RunBlock(std::size_t index, std::int64_t images, const Place& in, OutputPlace&& output);
  template <class OutputPlace>
  void RunSegment(std::size_t index, std::int64_t images, Place place, OutputPlace&& output);
  Place Fill(std::size_t index, const artifacts::ImageSet& set, std::int64_t begin,
             std::int64_t end);
  void RunGroup(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                std::int64_t position);
  void RunHead(std::int64_t images, float* logits);

  const QuantizedSupernet& supernet_;
  const int resolution_;
  Layers layers_;
  Operators operators_;
  InputMaker input_;
  std::vector<Buffers> buffers_;  ///< by segment
  // Planes, kept between calls.
  std::vector<std::uint8_t> codes_head_, codes_mid_, codes_out_;
  std::vector<float> values_, features_, class_planes_;
};

}  // namespace oqat::runtime
