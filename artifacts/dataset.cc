#include "artifacts/dataset.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "artifacts/datasets/loaders.h"
#include "base/error.h"
#include "base/random.h"

namespace oqat::artifacts {
namespace {

constexpr int kMaxImageSize = 4096;
constexpr std::string_view kKinds =
    "imagefolder:DIR, cifar10:DIR, mnist:DIR, packed:FILE, synthetic[:train=N,test=N]";

std::vector<std::int64_t> ShuffledIndices(std::int64_t count, RandomStream random) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  random.Shuffle(std::span<std::int64_t>(indices));
  return indices;
}

ImageSet Pick(const ImageSet& from, std::span<const std::int64_t> indices) {
  ImageSet picked;
  picked.size = from.size;
  picked.pixels.reserve(indices.size() * static_cast<std::size_t>(from.bytes_per_image()));
  for (std::int64_t i : indices) {
    picked.Append(from.image(i), from.labels[static_cast<std::size_t>(i)]);
  }
  return picked;
}

}  // namespace

Dataset LoadDataset(const std::string& spec, const DatasetOptions& options) {
  if (options.image_size < 1 || options.image_size > kMaxImageSize) {
    throw InvalidField("image_size", std::to_string(options.image_size),
                       "1 to " + std::to_string(kMaxImageSize));
  }
  const std::size_t colon = std::min(spec.find(':'), spec.size());
  const std::string kind = spec.substr(0, colon);
  const std::string path = colon < spec.size() ? spec.substr(colon + 1) : "";
  const bool takes_path =
      kind == "imagefolder" || kind == "cifar10" || kind == "mnist" || kind == "packed";
  if (takes_path ? path.empty() : kind != "synthetic") {
    throw InvalidField("data", "\"" + spec + "\"", kKinds);
  }
  Dataset dataset = kind == "imagefolder" ? LoadImageFolder(path, options)
                    : kind == "cifar10"   ? LoadCifar10(path, options)
                    : kind == "mnist"     ? LoadMnist(path, options)
                    : kind == "packed"    ? LoadPacked(path, options)
                                          : LoadSynthetic(spec.substr(kind.size()), options);
  dataset.spec = spec;
  return dataset;
}

TrainSplit SplitTrainImages(std::int64_t train_images, const SplitOptions& options) {
  if (options.search < 0 || options.search >= train_images) {
    throw InvalidField("search images", std::to_string(options.search),
                       "0 to " + std::to_string(train_images - 1) + ", fewer than the " +
                           std::to_string(train_images) + " training images");
  }
  const std::int64_t left = train_images - options.search;
  if (options.calibration < 0 || options.calibration > left) {
    throw InvalidField("calibration images", std::to_string(options.calibration),
                       "0 to " + std::to_string(left) + ", the training images that are left");
  }
  const std::vector<std::int64_t> order =
      ShuffledIndices(train_images, RandomStream(options.seed, "dataset.split"));
  TrainSplit split;
  const auto middle = order.begin() + options.search;
  split.search.assign(order.begin(), middle);
  split.calibration.assign(middle, middle + options.calibration);
  split.train.assign(middle, order.end());
  return split;
}

EvaluationSet BuildEvaluationSet(const Dataset& dataset, const SplitOptions& options) {
  const TrainSplit split = SplitTrainImages(dataset.train.count(), options);
  if (split.search.empty()) throw InvalidField("search images", "0", "at least 1");
  if (split.calibration.empty()) throw InvalidField("calibration images", "0", "at least 1");
  const std::int64_t available = dataset.test.count();
  if (options.test < 0 || options.test > available) {
    throw InvalidField("test images", std::to_string(options.test),
                       "0 (all) to " + std::to_string(available));
  }
  EvaluationSet set;
  set.source = dataset.spec;
  set.class_names = dataset.class_names;
  set.image_size = dataset.train.size;
  set.calibration = Pick(dataset.train, split.calibration);
  set.search = Pick(dataset.train, split.search);
  // Shuffled as well: an evaluation may use only the first images, and folders come by class.
  std::vector<std::int64_t> test =
      ShuffledIndices(available, RandomStream(options.seed, "dataset.test"));
  if (options.test > 0) test.resize(static_cast<std::size_t>(options.test));
  set.test = Pick(dataset.test, test);
  return set;
}

}  // namespace oqat::artifacts
