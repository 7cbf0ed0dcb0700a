// Damaged checkpoints, architectures outside their space and sets that do not fit: each is refused
// with an Error that names what is wrong, or gives finite results. Run under the asan preset, this
// is the proof that nothing of it is read out of bounds.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "artifacts/supernet_tensors.h"
#include "base/error.h"
#include "base/random.h"
#include "runtime/evaluate.h"

namespace oqat::runtime {
namespace {

using artifacts::Checkpoint;
using artifacts::Tensor;
using testing::HasSubstr;

constexpr int kDamages = 1500;
constexpr int kSpaces = 60;

Checkpoint TinyCheckpoint(int bits) {
  return artifacts::ReadCheckpoint(OQAT_SOURCE_DIR "/models/tiny/b" + std::to_string(bits) +
                                   ".safetensors");
}

/// "CODE: message" of the Error that `work` throws; empty if it throws none.
std::string Refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return std::string(CodeName(error.code())) + ": " + error.what();
  }
  return "";
}

Tensor Doubles(std::vector<std::int64_t> shape, const std::vector<double>& values) {
  Tensor tensor{artifacts::DType::kF64, std::move(shape), {}};
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  tensor.bytes.assign(bytes, bytes + values.size() * sizeof(double));
  return tensor;
}

/// `tensor` as float64 with one of its values replaced.
void Put(Tensor& tensor, double value, RandomStream& random) {
  std::vector<double> values = artifacts::ToDoubles(tensor);
  random.Choose(std::vector<std::reference_wrapper<double>>(values.begin(), values.end())).get() =
      value;
  tensor = Doubles(tensor.shape, values);
}

artifacts::ImageSet Images(std::int64_t count, int size, int classes, RandomStream& random) {
  artifacts::ImageSet set;
  set.size = size;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(set.bytes_per_image()));
  for (std::int64_t i = 0; i < count; ++i) {
    for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
    set.Append(pixels.data(), static_cast<std::int32_t>(random.Below(classes)));
  }
  return set;
}

artifacts::EvaluationSet SetOf(std::int64_t count, int size, int classes, RandomStream& random) {
  artifacts::EvaluationSet set;
  set.class_names.resize(static_cast<std::size_t>(classes));
  set.image_size = size;
  set.calibration = set.search = set.test = Images(count, size, classes, random);
  return set;
}

void ExpectFinite(const artifacts::EvaluationResult& result, std::int64_t images) {
  EXPECT_EQ(result.images, images);
  EXPECT_GE(result.top1, 0);
  EXPECT_LE(result.top1, 1);
  EXPECT_TRUE(std::isfinite(result.loss)) << result.loss;
}

/// What a damage must lead to.
struct Expected {
  bool refused = false;
  std::string named;  ///< what a refusal's message contains
};

const std::string& AnyName(const Checkpoint& checkpoint, RandomStream& random,
                           const std::string& ending = "") {
  std::vector<const std::string*> names;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (name.ends_with(ending)) names.push_back(&name);
  }
  return *random.Choose(names);
}

Expected Damage(Checkpoint& checkpoint, RandomStream& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string name = AnyName(checkpoint, random);
  Tensor& tensor = checkpoint.tensors.at(name);
  switch (random.Below(9)) {
    case 0: checkpoint.tensors.erase(name); return {true, name + ": got no such tensor"};
    case 1: {
      auto node = checkpoint.tensors.extract(name);
      node.key() = random.Bernoulli(0.5) ? name + "x" : name.substr(1);
      checkpoint.tensors.insert(std::move(node));
      return {true, name + ": got no such tensor"};
    }
    case 2: {
      const std::vector<std::int64_t> before = tensor.shape;
      switch (random.Below(4)) {
        case 0: tensor.shape.push_back(1); break;
        case 1: tensor.shape = {tensor.numel()}; break;
        case 2: std::reverse(tensor.shape.begin(), tensor.shape.end()); break;
        default: tensor.shape[random.Below(tensor.shape.size())] = random.Below(40);
      }
      tensor.bytes.resize(static_cast<std::size_t>(tensor.numel()) * SizeOf(tensor.dtype));
      const bool changed = tensor.shape != before;
      return {changed, changed ? name + ": got shape" : ""};
    }
    case 3: {
      const std::array<double, 4> values{std::nan(""), kInfinity, -kInfinity, 1e300};
      Put(tensor, values[random.Below(values.size())], random);
      return {true, name};
    }
    case 4: {
      const std::string step = AnyName(checkpoint, random, random.Bernoulli(0.5) ? ".sa" : ".sw");
      const std::array<double, 12> values{0,     -0.0,  1e-300, 1e-45, -1e-39, 1e-30,
                                          1e-15, -0.02, 1e5,    1e10,  -1e30,  3e38};
      Put(checkpoint.tensors.at(step), values[random.Below(values.size())], random);
      return {false, step};
    }
    case 5: {
      const std::array<int, 12> widths{INT_MIN, -4, 0, 1, 2, 3, 4, 5, 8, 9, 32, INT_MAX};
      checkpoint.bits = widths[random.Below(widths.size())];
      return {checkpoint.bits < 2 || checkpoint.bits > 8, "bits: got"};
    }
    case 6: {
      // Another space that its own reader accepts: the tensors no longer fit, or it is unsupported.
      Json json = space::SpaceToJson(checkpoint.space);
      const std::array<const char*, 7> fields{
          "num_classes",       "stem_width",  "first_block_width", "final_expand_width",
          "feature_mix_width", "stem_stride", "resolutions"};
      const std::string field = fields[random.Below(fields.size())];
      json[field] = field == "resolutions"
                        ? Json(std::vector<int>{9, 23})
                        : Json(field == "stem_stride" ? 2 : 1 + json[field].get<int>());
      checkpoint.space = space::SpaceFromJson(json);
      return {field != "resolutions" && field != "stem_stride", "got shape"};
    }
    case 7: {
      tensor.dtype = random.Bernoulli(0.5) ? artifacts::DType::kI32 : artifacts::DType::kU8;
      tensor.bytes.resize(static_cast<std::size_t>(tensor.numel()) * SizeOf(tensor.dtype));
      return {true, name + ": got type"};
    }
    default: Put(tensor, random.Bernoulli(0.5) ? 1e25 : -1e25, random); return {false, name};
  }
}

/// An architecture, or something like one; whether it is in the space.
space::Architecture AnyArchitecture(const Checkpoint& checkpoint, RandomStream& random) {
  space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
  architecture.bits = checkpoint.bits;
  if (random.Bernoulli(0.5)) return architecture;
  const std::array<int, 10> values{INT_MIN, -1, 0, 1, 2, 6, 9, 17, 4096, INT_MAX};
  const int value = values[random.Below(values.size())];
  const auto change = [&](std::vector<int>& genes) {
    switch (random.Below(4)) {
      case 0: genes.pop_back(); break;
      case 1: genes.push_back(genes.back()); break;
      default: genes[random.Below(genes.size())] = value;
    }
  };
  switch (random.Below(5)) {
    case 0: architecture.resolution = value; break;
    case 1: architecture.bits = value; break;
    case 2: change(architecture.kernels); break;
    case 3: change(architecture.expands); break;
    default: change(architecture.depths);
  }
  return architecture;
}

TEST(Fuzz, DamagedCheckpoints) {
  RandomStream random(1, "damage");
  const std::array<Checkpoint, 3> sound{TinyCheckpoint(4), TinyCheckpoint(3), TinyCheckpoint(2)};
  const artifacts::EvaluationSet set = SetOf(5, 24, 10, random);
  const Kernels& kernels = KernelsFor(DefaultIsa());
  int refused = 0, accepted = 0;
  for (int i = 0; i < kDamages; ++i) {
    SCOPED_TRACE("damage " + std::to_string(i));
    Checkpoint checkpoint = sound[random.Below(sound.size())];
    const Expected expected = Damage(checkpoint, random);
    const std::string message = Refusal([&] {
      const QuantizedSupernet supernet(checkpoint, "a.safetensors");
      space::Architecture architecture = space::SampleUniform(checkpoint.space, random);
      // Of another bit width than the space has, no architecture fits.
      architecture.bits = checkpoint.bits;
      ExpectFinite(Evaluate(supernet, architecture, set, {}, kernels), 5);
    });
    if (message.empty()) {
      ++accepted;
      EXPECT_FALSE(expected.refused) << expected.named;
    } else {
      ++refused;
      EXPECT_THAT(message, HasSubstr("INVALID_ARGUMENT: "));
      EXPECT_THAT(message, HasSubstr(expected.named));
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, kDamages / 2);
  EXPECT_GT(accepted, kDamages / 10);
}

TEST(Fuzz, ArchitecturesAndSets) {
  RandomStream random(2, "architectures");
  const Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  const Kernels& kernels = KernelsFor(DefaultIsa());
  int refused = 0, accepted = 0;
  for (int i = 0; i < kDamages; ++i) {
    SCOPED_TRACE("architecture " + std::to_string(i));
    const space::Architecture architecture = AnyArchitecture(checkpoint, random);
    const int classes = random.Bernoulli(0.9) ? 10 : 9;
    const artifacts::EvaluationSet set =
        SetOf(static_cast<std::int64_t>(random.Below(7)), 1 + static_cast<int>(random.Below(40)),
              classes, random);
    artifacts::EvaluationProtocol protocol;
    protocol.images = static_cast<std::int64_t>(random.Below(6)) - 1;
    protocol.calibration_images = static_cast<std::int64_t>(random.Below(6)) - 1;
    protocol.batch_size = static_cast<std::int64_t>(random.Below(5));
    const std::int64_t images = protocol.images == 0 ? set.search.count() : protocol.images;
    std::string message;
    try {
      ExpectFinite(Evaluate(supernet, architecture, set, protocol, kernels), images);
      ++accepted;
    } catch (const Error& error) {
      message = error.what();
      ++refused;
    }
    const bool inside =
        Refusal([&] { space::Canonical(checkpoint.space, architecture); }).empty() &&
        architecture.bits == 4;
    const bool fits = classes == 10 && protocol.batch_size > 0 && protocol.images >= 0 &&
                      protocol.calibration_images >= 0 && set.search.count() > 0 &&
                      std::max(protocol.images, protocol.calibration_images) <= set.search.count();
    EXPECT_EQ(message.empty(), inside && fits) << message;
    if (!inside) {
      EXPECT_THAT(message, HasSubstr("architecture."));
    } else if (!fits) {
      EXPECT_THAT(message, testing::ContainsRegex("classes: got 9|batch_size: got 0|images: got"));
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(refused, kDamages / 4);
  EXPECT_GT(accepted, kDamages / 20);
}

/// A small space that its reader accepts, with or without what the int8 engine supports.
space::SearchSpace AnySpace(RandomStream& random) {
  const auto number = [&](int low, int high) {
    return low + static_cast<int>(random.Below(static_cast<std::uint64_t>(high - low + 1)));
  };
  const auto some = [&](std::vector<int> from) {
    std::vector<int> chosen;
    while (chosen.empty()) {
      std::copy_if(from.begin(), from.end(), std::back_inserter(chosen),
                   [&](int) { return random.Bernoulli(0.5); });
    }
    return chosen;
  };
  const auto activation = [&] { return random.Bernoulli(0.5) ? "relu" : "h_swish"; };
  Json stages = Json::array();
  for (int stage = number(1, 3); stage > 0; --stage) {
    stages.push_back({{"width", number(1, 30)},
                      {"stride", number(1, 2)},
                      {"activation", activation()},
                      {"squeeze_excite", random.Bernoulli(0.5)}});
  }
  return space::SpaceFromJson(
      {{"name", "any"},
       {"num_classes", number(2, 20)},
       {"stem_width", number(1, 20)},
       {"stem_stride", number(1, 2)},
       {"first_block_width", number(1, 20)},
       {"first_block_activation", activation()},
       {"stages", stages},
       {"final_expand_width", number(1, 50)},
       {"feature_mix_width", number(1, 50)},
       {"resolutions", some({8, 9, 11, 16, 21})},
       {"bits", {8, 7, 6, 5, 4, 3, 2, 1}},
       {"kernels", random.Bernoulli(0.9) ? some({3, 5, 7}) : some({1, 3, 9})},
       {"expands", some({1, 2, 3, 6})},
       {"depths", some({1, 2, 3})}});
}

Checkpoint AnyCheckpoint(RandomStream& random) {
  Checkpoint checkpoint;
  checkpoint.space = AnySpace(random);
  checkpoint.bits = 1 + static_cast<int>(random.Below(8));
  checkpoint.activation_range = random.Bernoulli(0.5) ? artifacts::ActivationRange::kAuto
                                                      : artifacts::ActivationRange::kUnsigned;
  for (const artifacts::TensorSpec& spec : artifacts::SupernetTensors(checkpoint.space)) {
    Tensor tensor{artifacts::DType::kF64, spec.shape, {}};
    std::vector<double> values(static_cast<std::size_t>(tensor.numel()));
    for (double& value : values) {
      value = random.Normal();
      if (spec.kind == artifacts::TensorKind::kRunningVar) value = std::abs(value);
      if (spec.kind == artifacts::TensorKind::kStep) value = 0.05 + random.Uniform();
    }
    checkpoint.tensors[spec.name] = Doubles(spec.shape, values);
  }
  return checkpoint;
}

TEST(Fuzz, AnySpace) {
  RandomStream random(3, "spaces");
  int accepted = 0;
  for (int i = 0; i < kSpaces; ++i) {
    const Checkpoint checkpoint = AnyCheckpoint(random);
    const space::SearchSpace& space = checkpoint.space;
    SCOPED_TRACE(space::SpaceToJson(space).dump() + " " + std::to_string(checkpoint.bits));
    const bool kernels = std::all_of(space.kernels.begin(), space.kernels.end(),
                                     [](int k) { return k == 3 || k == 5 || k == 7; });
    const std::string message = Refusal([&] { QuantizedSupernet(checkpoint, "any"); });
    EXPECT_EQ(message.empty(), kernels && checkpoint.bits > 1) << message;
    if (!message.empty()) {
      EXPECT_THAT(message, testing::ContainsRegex("any: (bits|space.kernels): got"));
      continue;
    }
    ++accepted;
    const QuantizedSupernet supernet(checkpoint, "any");
    const artifacts::EvaluationSet set = SetOf(5, 16, space.num_classes, random);
    space::Architecture middle = space::SampleUniform(space, random);
    middle.bits = checkpoint.bits;
    for (const space::Architecture& architecture : {space::Smallest(space, checkpoint.bits), middle,
                                                    space::Largest(space, checkpoint.bits)}) {
      std::vector<double> losses;
      for (const Isa isa : AvailableIsas()) {
        const auto result = Evaluate(supernet, architecture, set, {}, KernelsFor(isa));
        ExpectFinite(result, 5);
        losses.push_back(result.loss);
      }
      EXPECT_THAT(losses, testing::Each(losses.front())) << space::ToKey(space, architecture);
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(accepted, kSpaces / 2);
}

/// The message of a tiny checkpoint with one tensor replaced.
std::string RefusalOf(const std::string& name, const std::function<void(Checkpoint&)>& damage) {
  Checkpoint checkpoint = TinyCheckpoint(4);
  EXPECT_TRUE(checkpoint.tensors.contains(name)) << name;
  damage(checkpoint);
  return Refusal([&] { QuantizedSupernet(checkpoint, "a.safetensors"); });
}

TEST(BadInput, TensorsAreNamed) {
  const std::string bn = "blocks.2.mobile_inverted_conv.depth_conv.bn.bn.running_var";
  EXPECT_EQ(RefusalOf(bn, [&](Checkpoint& c) { c.tensors.erase(bn); }),
            "INVALID_ARGUMENT: a.safetensors: " + bn + ": got no such tensor; allowed: shape [48]");
  const std::string classifier = "classifier.linear.weight";
  EXPECT_EQ(RefusalOf(classifier,
                      [&](Checkpoint& c) {
                        auto& shape = c.tensors.at(classifier).shape;
                        std::swap(shape[0], shape[1]);
                      }),
            "INVALID_ARGUMENT: a.safetensors: " + classifier +
                ": got shape [160, 10]; allowed: shape [10, 160]");
}

TEST(BadInput, StepsAreNamed) {
  for (const std::string step : {"final_expand_layer.conv.sa", "feature_mix_layer.conv.sw"}) {
    const auto refusal = [&](double value) {
      return RefusalOf(step, [&](Checkpoint& c) { c.tensors.at(step) = Doubles({1}, {value}); });
    };
    const std::string start = "INVALID_ARGUMENT: a.safetensors: " + step;
    EXPECT_THAT(refusal(std::nan("")), HasSubstr(start + "[0]: got nan"));
    EXPECT_THAT(refusal(0), HasSubstr(start + ": got 0;"));
    EXPECT_THAT(refusal(1e-30), HasSubstr(start + ": got 1e-30;"));
    EXPECT_THAT(refusal(-3e38), HasSubstr(start + ": got -3e+38;"));
    EXPECT_THAT(refusal(1e300), HasSubstr(start + "[0]: got 1e+300; allowed: numbers that"));
    EXPECT_EQ(refusal(-0.5), "") << "the sign of a step means nothing";
  }
}

TEST(BadInput, ArchitecturesAndSetsAreNamed) {
  RandomStream random(4);
  const Checkpoint checkpoint = TinyCheckpoint(4);
  const QuantizedSupernet supernet(checkpoint, "b4");
  const space::Architecture sound = space::Smallest(checkpoint.space, 4);
  const artifacts::EvaluationSet set = SetOf(6, 24, 10, random);
  const auto refusal = [&](const space::Architecture& architecture,
                           const artifacts::EvaluationSet& images,
                           const artifacts::EvaluationProtocol& protocol = {}) {
    return Refusal(
        [&] { Evaluate(supernet, architecture, images, protocol, KernelsFor(DefaultIsa())); });
  };
  EXPECT_EQ(refusal(sound, set), "");
  const auto changed = [&](auto change) {
    space::Architecture architecture = sound;
    change(architecture);
    return refusal(architecture, set);
  };
  EXPECT_THAT(changed([](auto& a) { a.depths[1] = 3; }),
              HasSubstr("architecture.depths[1]: got 3"));
  EXPECT_THAT(changed([](auto& a) { a.kernels[0] = 7; }),
              HasSubstr("architecture.kernels[0]: got 7"));
  EXPECT_THAT(changed([](auto& a) { a.expands[2] = 6; }),
              HasSubstr("architecture.expands[2]: got 6"));
  EXPECT_THAT(changed([](auto& a) { a.resolution = 32; }),
              HasSubstr("architecture.resolution: got 32"));
  EXPECT_THAT(changed([](auto& a) { a.bits = 2; }), HasSubstr("architecture.bits: got 2"));

  EXPECT_THAT(refusal(sound, SetOf(6, 24, 11, random)),
              HasSubstr("evaluation set classes: got 11; allowed: the space's 10"));
  artifacts::EvaluationProtocol protocol;
  protocol.images = 7;
  EXPECT_THAT(refusal(sound, set, protocol), HasSubstr("images: got 7; allowed: 0 (all) to"));
  protocol.images = 0;
  protocol.calibration_images = 7;
  EXPECT_THAT(refusal(sound, set, protocol), HasSubstr("calibration_images: got 7"));
  EXPECT_THAT(refusal(sound, SetOf(0, 24, 10, random)), HasSubstr("calibration_images: got 0"));
}

}  // namespace
}  // namespace oqat::runtime
