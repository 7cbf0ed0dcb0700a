#include "artifacts/packed_dataset.h"

#include <gmock/gmock.h>

#include "artifacts/datasets/decode.h"
#include "artifacts/safetensors.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/artifacts/samples.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class PackedDatasetTest : public testing::Test {
 protected:
  PackedDatasetTest() : path_((folder_.path() / "set.safetensors").string()) {}

  TempFolder folder_;
  const std::string path_;
};

TEST_F(PackedDatasetTest, ComesBackAsItWas) {
  const Dataset sample = SampleDataset();
  const std::string sha256 = WritePackedDataset(path_, sample);
  EXPECT_EQ(sha256, Sha256HexOfFile(path_));
  const Dataset stored = ReadPackedDataset(path_);
  EXPECT_EQ(stored.spec, sample.spec);
  EXPECT_EQ(stored.class_names, sample.class_names);
  EXPECT_EQ(stored.train, sample.train);
  EXPECT_EQ(stored.test, sample.test);
}

TEST_F(PackedDatasetTest, IsADataSetLikeTheOneItCameFrom) {
  const std::string spec = "synthetic:train=30,test=20";
  const Dataset original = LoadDataset(spec, {.image_size = 12});
  WritePackedDataset(path_, original);
  const Dataset packed = LoadDataset("packed:" + path_, {.image_size = 12});
  EXPECT_EQ(packed.spec, "packed:" + path_);
  EXPECT_EQ(packed.train, original.train);
  EXPECT_EQ(packed.test, original.test);

  const Dataset smaller = LoadDataset("packed:" + path_, {.image_size = 8});
  std::vector<std::uint8_t> expected(8 * 8 * 3);
  ResizeSquare(original.test.image(19), 12, expected.data(), 8);
  EXPECT_EQ(smaller.test.size, 8);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), smaller.test.image(19)));
  EXPECT_EQ(smaller.train.labels, original.train.labels);
}

TEST_F(PackedDatasetTest, FaultsNameFileAndField) {
  const auto complaint = [&] {
    return ThrownBy([&] { LoadDataset("packed:" + path_, {.image_size = 4}); });
  };
  EXPECT_THAT(complaint(), AllOf(StartsWith("NOT_FOUND: "), HasSubstr(path_)));
  EXPECT_THAT(ThrownBy([] { LoadDataset("packed", {.image_size = 4}); }),
              AllOf(StartsWith("INVALID_ARGUMENT: data"), HasSubstr("packed:FILE")));
  WriteFileAtomically(path_, "rubbish");
  EXPECT_THAT(complaint(), AllOf(StartsWith("DATA_LOSS: "), HasSubstr(path_)));
  WriteEvaluationSet(path_, SampleEvaluationSet());
  EXPECT_THAT(complaint(), HasSubstr("allowed: oqat-data-set-1"));
  WritePackedDataset(path_, SampleDataset());
  const std::string bytes = ReadFile(path_);
  WriteFileAtomically(path_, bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(complaint(), AllOf(StartsWith("DATA_LOSS: "), HasSubstr("data_offsets")));

  SafeTensors file = ParseSafeTensors(bytes, "x");
  file.tensors["test.labels"].bytes[0] = std::byte{9};
  WriteSafeTensors(path_, file);
  EXPECT_THAT(complaint(), HasSubstr("test.labels[0]: got 9; allowed: 0 to 1"));
  file = ParseSafeTensors(bytes, "x");
  file.tensors["search.labels"] = file.tensors["test.labels"];
  WriteSafeTensors(path_, file);
  EXPECT_THAT(complaint(),
              AllOf(HasSubstr("search.labels"), HasSubstr("images and labels of train, test")));
}

TEST_F(PackedDatasetTest, ASetWithoutTestImagesIsNotWritten) {
  Dataset dataset = SampleDataset();
  dataset.test = {dataset.test.size, {}, {}};
  EXPECT_THAT(ThrownBy([&] { WritePackedDataset(path_, dataset); }),
              StartsWith("INVALID_ARGUMENT: test.labels: got no images"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(LibraryMissing, SaysWhatToDo) {
  EXPECT_THAT(std::string(LibraryMissing("a/b.png", "libpng").what()),
              AllOf(StartsWith("a/b.png: this build has no libpng"), HasSubstr("oqat-train pack"),
                    HasSubstr("packed:FILE")));
}

}  // namespace
}  // namespace oqat::artifacts
