// Built with OQAT_ONLY_TRAIN where libpng, libjpeg-turbo or zlib is absent.
#include <gmock/gmock.h>

#include "artifacts/datasets/decode.h"
#include "artifacts/datasets/loaders.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::StartsWith;

// A file of each kind, damaged behind its first bytes: a build with the library says DATA_LOSS.
TEST(WithoutLibraries, EachKindIsReadOrRefusedByName) {
  const auto expect = [](bool has, const std::string& library, const std::string& complaint) {
    EXPECT_THAT(complaint,
                StartsWith(has ? "DATA_LOSS: x: "
                               : "FAILED_PRECONDITION: x: this build has no " + library));
  };
  expect(OQAT_WITH_TURBOJPEG, "libjpeg-turbo", ThrownBy([] { DecodeImage("\xff\xd8\xff", "x"); }));
  expect(OQAT_WITH_PNG, "libpng", ThrownBy([] { DecodeImage("\x89PNG\r\n\x1a\n", "x"); }));
  expect(OQAT_WITH_ZLIB, "zlib", ThrownBy([] {
           ImageSet images{2, {}, {}};
           ParseIdx("\x1f\x8b", "x", "", "labels", images);
         }));
}

TEST(WithoutLibraries, AnImageFolderIsRefusedAtItsFirstImage) {
  TempFolder folder;
  folder.Write("train/a/1.png", "\x89PNG\r\n\x1a\n");
  folder.Write("test/a/1.png", "\x89PNG\r\n\x1a\n");
  const std::string complaint =
      ThrownBy([&] { LoadDataset("imagefolder:" + folder.path().string(), {.image_size = 8}); });
  EXPECT_THAT(complaint, StartsWith(OQAT_WITH_PNG ? "DATA_LOSS: " : "FAILED_PRECONDITION: "));
  EXPECT_THAT(complaint, testing::HasSubstr("train/a/1.png"));
}

}  // namespace
}  // namespace oqat::artifacts
