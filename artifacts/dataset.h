#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/evaluation_set.h"
#include "artifacts/image.h"

namespace oqat::artifacts {

/// Decoded training and test images of one data set.
struct Dataset {
  std::string spec;
  std::vector<std::string> class_names;
  ImageSet train, test;  ///< both of the requested size, in a defined order
};

struct DatasetOptions {
  int image_size = 32;     ///< every image is resized (centre-cropped to a square first) to this
  std::uint64_t seed = 1;  ///< for `synthetic`
  /// Called now and then with (done, total images); may be empty.
  std::function<void(std::int64_t, std::int64_t)> progress = {};
};

/// SPEC is one of
///   imagefolder:DIR   train/ and test/ (or val/), a folder per class, JPEG and PNG
///   cifar10:DIR       the official binary files data_batch_1..5.bin, test_batch.bin
///   mnist:DIR         IDX files, plain or .gz (also Fashion-MNIST); grey copied to RGB
///   packed:FILE       written by `oqat-train pack` (artifacts/packed_dataset.h)
///   synthetic[:train=N,test=N]   built in: ten classes of textured shapes, seeded
/// Throws Error: INVALID_ARGUMENT for an unknown kind (listing the kinds), NOT_FOUND for missing
/// folders or files, DATA_LOSS naming an image that cannot be read, FAILED_PRECONDITION for
/// a kind of file that this build has no library for.
Dataset LoadDataset(const std::string& spec, const DatasetOptions& options);

/// The number of training images a split holds out, and how they are chosen.
struct SplitOptions {
  std::int64_t calibration = 512;
  std::int64_t search = 2000;
  std::int64_t test = 0;  ///< 0: all test images
  std::uint64_t seed = 1;
};

/// Indices into dataset.train, shuffled by seed: the search images, the calibration images (taken
/// from the training part: they may be trained on), and those left to train on. The same seed gives
/// the same split to `oqat-train run` and `oqat evalset build`, so that search images are never
/// trained on. Throws Error INVALID_ARGUMENT if there are too few images.
struct TrainSplit {
  std::vector<std::int64_t> search, calibration, train;
};
TrainSplit SplitTrainImages(std::int64_t train_images, const SplitOptions& options);

/// The evaluation set of a data set under `options`.
EvaluationSet BuildEvaluationSet(const Dataset& dataset, const SplitOptions& options);

}  // namespace oqat::artifacts
