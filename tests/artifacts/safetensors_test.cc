#include "artifacts/safetensors.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/files.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string WithHeader(const std::string& header, std::size_t data_bytes,
                       std::uint64_t claimed = std::numeric_limits<std::uint64_t>::max()) {
  const std::uint64_t size =
      claimed == std::numeric_limits<std::uint64_t>::max() ? header.size() : claimed;
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + std::string(data_bytes, '\x01');
}

std::string Complaint(const std::string& bytes) {
  return ThrownBy([&] { ParseSafeTensors(bytes, "x.safetensors"); });
}

Tensor Bytes(DType dtype, std::vector<std::int64_t> shape) {
  Tensor tensor{dtype, std::move(shape), {}};
  tensor.bytes.resize(static_cast<std::size_t>(tensor.numel()) * SizeOf(dtype));
  for (std::size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = std::byte(i * 7);
  return tensor;
}

SafeTensors Everything() {
  SafeTensors file;
  file.metadata = {{"oqat", "{\"a\": \"\\\"\"}"}, {"format", "pt"}};
  file.tensors["scalar"] = Bytes(DType::kF64, {});
  file.tensors["empty"] = Bytes(DType::kF32, {3, 0, 2});
  file.tensors["a.weight"] = Bytes(DType::kF32, {2, 3, 1, 5});
  file.tensors["bytes"] = Bytes(DType::kU8, {3});
  file.tensors["half"] = Bytes(DType::kF16, {5});
  file.tensors["long"] = Bytes(DType::kI64, {2});
  file.tensors["int"] = Bytes(DType::kI32, {1});
  file.tensors["signed \xc3\xa9"] = Bytes(DType::kI8, {4});
  return file;
}

TEST(SafeTensors, ComeBackAsTheyWere) {
  const SafeTensors file = Everything();
  const SafeTensors back = ParseSafeTensors(SerializeSafeTensors(file), "x");
  EXPECT_EQ(back.metadata, file.metadata);
  EXPECT_EQ(back.tensors, file.tensors);
}

TEST(SafeTensors, SameContentSameBytesAlignedAndWithoutHoles) {
  const std::string bytes = SerializeSafeTensors(Everything());
  EXPECT_EQ(bytes, SerializeSafeTensors(ParseSafeTensors(bytes, "x")));
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0u);
  EXPECT_EQ(SerializeSafeTensors({}).substr(8), "{}      ");
}

TEST(SafeTensors, ReadsWhatThePythonPackageWrites) {
  // Its writer orders by data, and pads with spaces.
  const std::string bytes = WithHeader(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}   )",
      9);
  const SafeTensors file = ParseSafeTensors(bytes, "x");
  EXPECT_EQ(file.tensors.at("a").numel(), 1);
  EXPECT_EQ(file.tensors.at("b").shape, (std::vector<std::int64_t>{2}));
}

TEST(SafeTensors, FilesAreWrittenWholeOrNotAtAll) {
  TempFolder folder;
  const std::string path = (folder.path() / "a.safetensors").string();
  WriteSafeTensors(path, Everything());
  EXPECT_EQ(ReadSafeTensors(path).tensors, Everything().tensors);
  SafeTensors bad = Everything();
  bad.tensors["int"].shape = {2};
  EXPECT_THAT(ThrownBy([&] { WriteSafeTensors(path, bad); }),
              AllOf(StartsWith("INVALID_ARGUMENT: int:"), HasSubstr("4 bytes")));
  EXPECT_EQ(ReadSafeTensors(path).tensors, Everything().tensors);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_THAT(ThrownBy([&] { ReadSafeTensors(path + ".none"); }), StartsWith("NOT_FOUND: "));
}

TEST(SafeTensors, ConvertToFloats) {
  const std::vector<float> values{1.5f, -2.25f};
  EXPECT_EQ(ToFloats(TensorFromFloats({2}, values.data())), values);
  const std::uint16_t halves[] = {0x3c00, 0xc100, 0x0001, 0x8000, 0x7bff, 0x7c00, 0x7e00};
  Tensor half{DType::kF16, {7}, {}};
  half.bytes.resize(sizeof halves);
  std::memcpy(half.bytes.data(), halves, sizeof halves);
  const std::vector<double> wide = ToDoubles(half);
  EXPECT_EQ(wide[0], 1.0);
  EXPECT_EQ(wide[1], -2.5);
  EXPECT_EQ(wide[2], 0x1.0p-24);
  EXPECT_TRUE(wide[3] == 0 && std::signbit(wide[3]));
  EXPECT_EQ(wide[4], 65504.0);
  EXPECT_TRUE(std::isinf(wide[5]));
  EXPECT_TRUE(std::isnan(wide[6]));
  EXPECT_THAT(ThrownBy([] {
                ToFloats(Tensor{DType::kI32, {0}, {}});
              }),
              StartsWith("INVALID_ARGUMENT: dtype: got I32"));
}

TEST(SafeTensors, TruncatedAndOversizedFilesAreNamed) {
  EXPECT_THAT(Complaint(""), StartsWith("DATA_LOSS: x.safetensors: header length:"));
  EXPECT_THAT(Complaint("1234567"), HasSubstr("at least 8"));
  EXPECT_THAT(Complaint(WithHeader("{}", 0, 3)), HasSubstr("header length: got 3"));
  EXPECT_THAT(Complaint(WithHeader("{}", 0, std::uint64_t{1} << 62)), HasSubstr("header length"));
  EXPECT_THAT(Complaint(WithHeader("{}", 4)), HasSubstr("file size"));
  const std::string whole = SerializeSafeTensors(Everything());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(Complaint(whole.substr(0, size)), StartsWith("DATA_LOSS: x.safetensors: "));
  }
  EXPECT_THAT(Complaint(whole + "x"), HasSubstr("file size"));
}

TEST(SafeTensors, EveryLyingHeaderIsRefused) {
  const auto tensor = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}}";
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "malformed JSON"},
      {"{", "malformed JSON"},
      {"{} x", "malformed JSON"},
      {"{\"\xff\":{}}", "malformed JSON"},
      {"[]", "header: got an array; allowed: an object"},
      {"7", "header: got a number"},
      {"null", "header: got null"},
      {R"({"w":3})", "w: got a number; allowed: an object"},
      {R"({"w":{}})", "w.dtype: is missing"},
      {R"({"w":{"dtype":"F32","shape":[]}})", "w.data_offsets: is missing"},
      {R"({"w":{"dtype":"F32","data_offsets":[0,8]}})", "w.shape: is missing"},
      {R"({"w":{"dtype":"F32","x":1}})", "w.x: got an unknown field"},
      {R"({"w":{"dtype":"F32","dtype":"F32"}})", "w.dtype: got a second entry"},
      {R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{}})", "w: got a second entry"},
      {R"({"__metadata__":{},"__metadata__":{}})", "__metadata__: got a second entry"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", "__metadata__.a: got a second entry"},
      {R"({"__metadata__":{"a":1}})", "__metadata__.a: got a number; allowed: a string"},
      {R"({"__metadata__":{"a":{}}})", "__metadata__.a: got an object; allowed: a string"},
      {R"({"__metadata__":[]})", "__metadata__: got an array"},
      {tensor("\"F33\"", "[2]", "[0,8]"), "w.dtype: got F33; allowed: F64, F32"},
      {tensor("4", "[2]", "[0,8]"), "w.dtype: got a number; allowed: a string"},
      {tensor("[]", "[2]", "[0,8]"), "w.dtype: got an array"},
      {tensor("\"F32\"", "[-2]", "[0,8]"), "w.shape: got a negative number"},
      {tensor("\"F32\"", "[2.0]", "[0,8]"), "w.shape: got a fraction"},
      {tensor("\"F32\"", "[[2]]", "[0,8]"), "w.shape: got an array"},
      {tensor("\"F32\"", "[true]", "[0,8]"), "w.shape: got a boolean"},
      {tensor("\"F32\"", "2", "[0,8]"), "w.shape: got a number"},
      {tensor("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "w.shape: got more numbers"},
      {tensor("\"F32\"", "[18446744073709551615]", "[0,8]"), "w.shape: got 18446744073709551615"},
      {tensor("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "w.shape: got [4294967296"},
      {tensor("\"F32\"", "[4611686018427387904]", "[0,8]"), "w.shape: got [4611686018427387904]"},
      {tensor("\"F32\"", "[3]", "[0,8]"), "w.data_offsets: got 8 bytes; allowed: 12"},
      {tensor("\"F32\"", "[2]", "[0]"), "w.data_offsets: got 1 numbers"},
      {tensor("\"F32\"", "[2]", "[0,8,9]"), "w.data_offsets: got more numbers"},
      {tensor("\"F32\"", "[2]", "[8,0]"), "w.data_offsets: got [8,0]"},
      {tensor("\"F32\"", "[2]", "[4,12]"), "w.data_offsets: got [4,12]"},
      {tensor("\"F32\"", "[1]", "[4,8]"), "w.data_offsets: got begin 4; allowed: begin 0"},
      {R"({"v":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
       R"("w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
       "w.data_offsets: got begin 4; allowed: begin 5"},
      {R"({"v":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
       R"("w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
       "w.data_offsets: got begin 0; allowed: begin 8"},
  };
  for (const auto& [header, expected] : cases) {
    EXPECT_THAT(Complaint(WithHeader(header, 8)),
                AllOf(StartsWith("DATA_LOSS: x.safetensors: "), HasSubstr(expected)))
        << header;
  }
}

TEST(SafeTensors, DeepAndNumerousHeadersCostNothing) {
  EXPECT_THAT(Complaint(WithHeader(std::string(5'000'000, '['), 0)), HasSubstr("header"));
  std::string many = "{";
  for (int i = 0; i < 100'001; ++i) {
    many += "\"" + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)";
  }
  many.back() = '}';
  EXPECT_THAT(Complaint(WithHeader(many, 0)), HasSubstr("header: got more tensors"));
}

TEST(SafeTensors, HostileNamesStayOneShortPrintableLine) {
  const std::string name = "\\n\\u0007" + std::string(500, 'x');
  const std::string complaint = Complaint(WithHeader("{\"" + name + "\":{}}", 0));
  EXPECT_LT(complaint.size(), 250u);
  EXPECT_EQ(complaint.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace oqat::artifacts
