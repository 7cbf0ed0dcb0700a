#include "artifacts/dataset.h"

#include <gmock/gmock.h>
#include <png.h>

#include <set>

#include "artifacts/datasets/loaders.h"
#include "base/hash.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string Complaint(const std::string& spec, int image_size = 8) {
  return ThrownBy([&] { LoadDataset(spec, {.image_size = image_size}); });
}

std::string FlatPng(std::uint8_t level, int width = 8, int height = 8) {
  const std::vector<std::uint8_t> grey(static_cast<std::size_t>(width) * height, level);
  return MakePng(width, height, grey.data(), PNG_FORMAT_GRAY);
}

TEST(LoadDataset, RefusesWhatItDoesNotKnow) {
  for (const char* spec :
       {"", "cifar100:/x", "imagefolder", "imagefolder:", "mnist", "synthetics"}) {
    EXPECT_THAT(Complaint(spec), AllOf(StartsWith("INVALID_ARGUMENT: data: got \""),
                                       HasSubstr("imagefolder:DIR, cifar10:DIR, mnist:DIR")))
        << spec;
  }
  EXPECT_THAT(Complaint("synthetic", 0), HasSubstr("image_size: got 0; allowed: 1 to 4096"));
}

TEST(ImageFolder, LoadsSortedAndIgnoresWhatIsNoImage) {
  TempFolder folder;
  folder.Write("train/b/2.png", FlatPng(2));
  folder.Write("train/b/1.JPEG", FlatPng(1, 16, 10));  // the content decides, not the name
  folder.Write("train/b/deep/0.jpg", MakeJpeg(8, 8, std::vector<std::uint8_t>(192, 9)));
  folder.Write("train/a/x.png", FlatPng(3));
  folder.Write("train/a/.hidden.png", "rubbish");
  folder.Write("train/a/notes.txt", "rubbish");
  folder.Write("train/.cache/x.png", "rubbish");
  folder.Write("train/README", "rubbish");
  folder.Write("val/b/t.png", FlatPng(4));
  const std::string spec = "imagefolder:" + folder.path().string();
  const Dataset data = LoadDataset(spec, {.image_size = 4});
  EXPECT_EQ(data.spec, spec);
  EXPECT_THAT(data.class_names, ElementsAre("a", "b"));
  EXPECT_THAT(data.train.labels, ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(data.test.labels, ElementsAre(1));
  std::vector<int> levels;
  for (int i = 0; i < 4; ++i) levels.push_back(data.train.image(i)[0]);
  EXPECT_THAT(levels, ElementsAre(3, 1, 2, 9));
  EXPECT_EQ(data.train.pixels.size(), 4u * 4 * 4 * 3);
  EXPECT_THAT(data.test.pixels, Each(4));
}

TEST(ImageFolder, FaultsNameThePath) {
  TempFolder folder;
  const std::string root = folder.path().string(), spec = "imagefolder:" + root;
  EXPECT_THAT(Complaint(spec + "/none"), StartsWith("NOT_FOUND: " + root + "/none"));
  EXPECT_THAT(Complaint(spec), StartsWith("NOT_FOUND: " + root + "/train: is missing"));
  folder.Write("train/a/1.png", FlatPng(1));
  EXPECT_THAT(Complaint(spec), StartsWith("NOT_FOUND: " + root + ": has neither test nor val"));
  folder.Write("test/notes.txt", "");
  EXPECT_THAT(Complaint(spec), StartsWith("NOT_FOUND: " + root + "/test: no class folders"));
  folder.Write("test/a/readme.txt", "");
  EXPECT_THAT(Complaint(spec), StartsWith("NOT_FOUND: " + root + "/test/a: class folder without"));
  folder.Write("test/a/1.png", FlatPng(1));
  EXPECT_EQ(Complaint(spec), "");
  folder.Write("test/c/1.png", FlatPng(1));
  EXPECT_THAT(Complaint(spec), StartsWith("INVALID_ARGUMENT: " + root + "/test/c: class is not"));
  folder.Write("train/c/text.jpg", "this is text");
  EXPECT_THAT(Complaint(spec),
              StartsWith("DATA_LOSS: " + root + "/train/c/text.jpg: is neither a JPEG nor a PNG"));
  const std::string jpeg = MakeJpeg(32, 32, std::vector<std::uint8_t>(3072, 9));
  folder.Write("train/c/text.jpg", jpeg.substr(0, jpeg.size() / 2));
  EXPECT_THAT(Complaint(spec),
              StartsWith("DATA_LOSS: " + root + "/train/c/text.jpg: not a complete JPEG image"));
}

TEST(Cifar10, LoadsTheOfficialFiles) {
  TempFolder folder;
  for (int batch = 1; batch <= 5; ++batch) {
    folder.Write("cifar-10-batches-bin/data_batch_" + std::to_string(batch) + ".bin",
                 MakeCifarBatch(12));
  }
  const std::string root = folder.path().string();
  EXPECT_THAT(Complaint("cifar10:" + root),
              StartsWith("NOT_FOUND: " + root + "/cifar-10-batches-bin/test_batch.bin"));
  folder.Write("cifar-10-batches-bin/test_batch.bin", MakeCifarBatch(3));
  for (const std::string& spec : {"cifar10:" + root, "cifar10:" + root + "/cifar-10-batches-bin"}) {
    const Dataset data = LoadDataset(spec, {.image_size = 24});
    EXPECT_EQ(data.train.count(), 60);
    EXPECT_THAT(data.test.labels, ElementsAre(0, 1, 2));
    EXPECT_EQ(data.class_names.at(9), "truck");
    EXPECT_EQ(data.train.image(11)[0], 11);
  }
}

TEST(Cifar10, PlanesBecomePixelsAndFaultsAreNamed) {
  std::string batch = MakeCifarBatch(1);
  for (int c = 0; c < 3; ++c) batch[1 + 1024 * c] = static_cast<char>(100 + c);
  ImageSet images{32, {}, {}};
  ParseCifarBatch(batch, "b.bin", images);
  EXPECT_EQ(images.pixels[0], 100);
  EXPECT_EQ(images.pixels[1], 101);
  EXPECT_EQ(images.pixels[2], 102);
  EXPECT_THAT(ThrownBy([&] { ParseCifarBatch(batch + "x", "b.bin", images); }),
              StartsWith("DATA_LOSS: b.bin: file size: got 3074 bytes"));
  EXPECT_THAT(ThrownBy([&] { ParseCifarBatch("", "b.bin", images); }), HasSubstr("got 0 bytes"));
  batch[0] = 10;
  EXPECT_THAT(ThrownBy([&] { ParseCifarBatch(batch, "b.bin", images); }),
              StartsWith("DATA_LOSS: b.bin: label[0]: got 10; allowed: 0 to 9"));
}

TEST(Mnist, LoadsPlainAndGzip) {
  TempFolder folder;
  std::string pixels(2 * 28 * 28, '\x05');
  pixels.back() = '\x63';
  const std::string images = MakeIdx({2, 28, 28}, pixels), labels = MakeIdx({2}, "\x03\x09");
  folder.Write("train-images-idx3-ubyte.gz", Gzip(images));
  folder.Write("train-labels-idx1-ubyte", labels);
  folder.Write("t10k-images.idx3-ubyte", images);
  const std::string spec = "mnist:" + folder.path().string();
  EXPECT_THAT(Complaint(spec), AllOf(StartsWith("NOT_FOUND: "), HasSubstr("t10k-labels-idx1")));
  folder.Write("t10k-labels-idx1-ubyte.gz", Gzip(labels.substr(0, 5)) + Gzip(labels.substr(5)));
  const Dataset data = LoadDataset(spec, {.image_size = 28});
  EXPECT_THAT(data.train.labels, ElementsAre(3, 9));
  EXPECT_EQ(data.train.pixels.front(), 5);
  EXPECT_EQ(data.train.pixels.back(), 0x63);
  EXPECT_EQ(data.train.pixels[data.train.pixels.size() - 3], 0x63);
  EXPECT_EQ(data.test, data.train);
}

TEST(Mnist, FaultsNameFileAndField) {
  const std::string images = MakeIdx({2, 2, 2}, "01234567");
  const std::string labels = MakeIdx({2}, std::string("\x00\x01", 2));
  const auto complaint = [](const std::string& i, const std::string& l) {
    ImageSet set{2, {}, {}};
    return ThrownBy([&] { ParseIdx(i, "i.idx", l, "l.idx", set); });
  };
  EXPECT_EQ(complaint(images, labels), "");
  EXPECT_THAT(complaint("", labels), StartsWith("DATA_LOSS: i.idx: header: got 0 bytes"));
  EXPECT_THAT(complaint(labels + images, labels), StartsWith("DATA_LOSS: i.idx: magic number"));
  EXPECT_THAT(complaint(images + "x", labels), StartsWith("DATA_LOSS: i.idx: file size"));
  EXPECT_THAT(complaint(MakeIdx({0xffffffff, 0x1000, 0x1000}, ""), labels), HasSubstr("file size"));
  EXPECT_THAT(complaint(MakeIdx({2, 0, 2}, ""), labels), HasSubstr("rows: got 0"));
  EXPECT_THAT(complaint(images, MakeIdx({1}, "0")), StartsWith("DATA_LOSS: l.idx: labels: got 1"));
  EXPECT_THAT(complaint(images, MakeIdx({2}, "\x01\x0a")), HasSubstr("l.idx: label[1]: got 10"));
  const std::string packed = Gzip(images);
  EXPECT_THAT(complaint(packed.substr(0, packed.size() - 6), labels),
              StartsWith("DATA_LOSS: i.idx: gzip data"));
  EXPECT_THAT(complaint("\x1f\x8brubbish", labels), HasSubstr("i.idx: gzip data"));
}

std::string PixelHash(const ImageSet& images) {
  return Sha256Hex({reinterpret_cast<const char*>(images.pixels.data()), images.pixels.size()});
}

TEST(Synthetic, DrawsTheSamePixelsEverywhere) {
  const Dataset data = LoadDataset("synthetic:train=100,test=10", {.image_size = 24, .seed = 1});
  EXPECT_EQ(PixelHash(data.train),
            "c984ed05573230cb91609e4638f09583b9bab57f86d2f970646f55c8ae91ed97");
}

TEST(Synthetic, AnImageDependsOnSeedSplitAndIndexOnly) {
  const Dataset few = LoadDataset("synthetic:test=20,train=20", {.image_size = 16});
  const Dataset more = LoadDataset("synthetic:train=40,test=30", {.image_size = 16});
  const auto bytes = static_cast<std::size_t>(20 * few.train.bytes_per_image());
  EXPECT_TRUE(std::equal(few.train.pixels.begin(), few.train.pixels.end(),
                         more.train.pixels.begin(), more.train.pixels.begin() + bytes));
  EXPECT_NE(few.train.pixels, few.test.pixels);
  const Dataset other = LoadDataset("synthetic:train=20,test=20", {.image_size = 16, .seed = 2});
  EXPECT_NE(few.train.pixels, other.train.pixels);
  EXPECT_EQ(few.class_names.size(), 10u);
  for (std::int32_t i = 0; i < 40; ++i) EXPECT_EQ(more.train.labels[i], i % 10);
}

TEST(Synthetic, RefusesOtherArguments) {
  for (const char* arguments :
       {":train", ":train=", ":train=0", ":train=-1", ":train=1x", ":size=3", ":train=1,train=2",
        ":train=1000001", ":train=99999999999999999999", ":,"}) {
    EXPECT_THAT(Complaint(std::string("synthetic") + arguments),
                StartsWith("INVALID_ARGUMENT: data: synthetic"))
        << arguments;
  }
}

TEST(Split, IsSeededDisjointAndCoversEverything) {
  const TrainSplit split = SplitTrainImages(100, {.calibration = 10, .search = 30});
  EXPECT_EQ(split.search.size(), 30u);
  EXPECT_EQ(split.calibration.size(), 10u);
  std::set<std::int64_t> all(split.search.begin(), split.search.end());
  all.insert(split.train.begin(), split.train.end());
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(split.train.size(), 70u);
  const std::set<std::int64_t> train(split.train.begin(), split.train.end());
  for (std::int64_t i : split.calibration) EXPECT_TRUE(train.contains(i));
  // More calibration images do not move the search images: training stays apart from them.
  EXPECT_EQ(SplitTrainImages(100, {.calibration = 50, .search = 30}).search, split.search);
  EXPECT_EQ(SplitTrainImages(100, {.calibration = 10, .search = 30}).train, split.train);
  EXPECT_NE(SplitTrainImages(100, {.calibration = 10, .search = 30, .seed = 2}).search,
            split.search);
}

TEST(Split, RefusesMoreThanThereIs) {
  EXPECT_THAT(ThrownBy([] { SplitTrainImages(100, {.calibration = 0, .search = 100}); }),
              HasSubstr("search images: got 100; allowed: 0 to 99"));
  EXPECT_THAT(ThrownBy([] { SplitTrainImages(100, {.calibration = 21, .search = 80}); }),
              HasSubstr("calibration images: got 21; allowed: 0 to 20"));
  EXPECT_THAT(ThrownBy([] { SplitTrainImages(100, {.calibration = 1, .search = -1}); }),
              HasSubstr("search images: got -1"));
}

TEST(BuildEvaluationSet, TakesItsImagesFromTheRightPlaces) {
  const Dataset data = LoadDataset("synthetic:train=60,test=20", {.image_size = 8});
  const SplitOptions options{.calibration = 5, .search = 20, .test = 15, .seed = 3};
  const EvaluationSet set = BuildEvaluationSet(data, options);
  const TrainSplit split = SplitTrainImages(60, options);
  EXPECT_EQ(set.source, "synthetic:train=60,test=20");
  EXPECT_EQ(set.class_names, data.class_names);
  EXPECT_EQ(set.image_size, 8);
  EXPECT_EQ(set.calibration.count(), 5);
  EXPECT_EQ(set.search.count(), 20);
  EXPECT_EQ(set.test.count(), 15);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(set.search.labels[i], data.train.labels[split.search[i]]);
    EXPECT_TRUE(std::equal(set.search.image(i), set.search.image(i) + 192,
                           data.train.image(split.search[i])));
  }
  // All test images, in an order in which every start is a fair sample.
  const EvaluationSet all = BuildEvaluationSet(data, {.calibration = 5, .search = 20});
  EXPECT_EQ(all.test.count(), 20);
  EXPECT_NE(all.test.labels, data.test.labels);
  EXPECT_TRUE(std::is_permutation(all.test.labels.begin(), all.test.labels.end(),
                                  data.test.labels.begin()));
  EXPECT_EQ(SerializeEvaluationSet(set), SerializeEvaluationSet(BuildEvaluationSet(data, options)));

  const auto complaint = [&](SplitOptions wrong) {
    return ThrownBy([&] { BuildEvaluationSet(data, wrong); });
  };
  EXPECT_THAT(complaint({.calibration = 5, .search = 20, .test = 21}),
              HasSubstr("test images: got 21; allowed: 0 (all) to 20"));
  EXPECT_THAT(complaint({.calibration = 0, .search = 20}), HasSubstr("calibration images: got 0"));
  EXPECT_THAT(complaint({.calibration = 5, .search = 0}), HasSubstr("search images: got 0"));
}

}  // namespace
}  // namespace oqat::artifacts
