#include "tests/supernet/parity.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "artifacts/safetensors.h"
#include "artifacts/supernet_tensors.h"
#include "base/files.h"
#include "base/json.h"
#include "supernet/elastic_net.h"
#include "supernet/extract.h"
#include "supernet/import_oqa.h"
#include "supernet/lsq.h"
#include "supernet/tensors.h"

namespace oqat::supernet::parity {

namespace {

using artifacts::SafeTensors;

Json ReadJson(const std::string& path) { return ParseJson(ReadFile(path), path); }

std::string PathOf(const std::string& folder, const std::string& what, int bits) {
  return folder + "/oqa_forward_" + what + "_b" + std::to_string(bits) + ".safetensors";
}

std::vector<int> Ascending(const Json& value) {
  std::vector<int> list =
      value.is_array() ? value.get<std::vector<int>>() : std::vector<int>{value.get<int>()};
  std::sort(list.begin(), list.end());
  return list;
}

space::SearchSpace SpaceOf(const Json& constructor) {
  const Json& width = constructor.at("width_mult_list");
  space::SearchSpace space = space::OqaSpace(
      width.is_array() ? width.at(0).get<double>() : width.get<double>(),
      constructor.at("n_classes").get<int>(), Ascending(constructor.at("ks_list")),
      Ascending(constructor.at("expand_ratio_list")), Ascending(constructor.at("depth_list")));
  if (constructor.contains("bn_param")) {
    EXPECT_EQ(constructor.at("bn_param").at(1).get<double>(), 1e-5) << "BatchNorm eps is fixed";
  }
  return space;
}

/// A supernet with the folder's weights, and its subnets, in float64.
struct Case {
  ElasticNet net{nullptr};
  std::map<std::string, space::Architecture> subnets;
};

Case Load(const std::string& folder, int bits) {
  const Json meta = ReadJson(folder + "/oqa_forward_meta.json");
  const space::SearchSpace space = SpaceOf(meta.at("constructor"));
  const artifacts::Checkpoint checkpoint = ImportOqa(PathOf(folder, "state", bits), space, bits);
  Case result;
  result.net = ElasticNet(space, bits, checkpoint.activation_range, 1);
  result.net->to(torch::kFloat64);
  result.net->FromTensors(checkpoint.tensors, "state");
  result.net->eval();
  for (const auto& [name, genes] : meta.at("subnets").items()) {
    space::Architecture architecture;
    architecture.resolution = space.max_resolution();
    architecture.bits = space.bits.front();
    architecture.kernels = genes.at("ks").get<std::vector<int>>();
    architecture.expands = genes.at("e").get<std::vector<int>>();
    architecture.depths = genes.at("d").get<std::vector<int>>();
    result.subnets.emplace(name, space::Canonical(space, architecture));
  }
  return result;
}

struct Difference {
  double worst = 0;  ///< largest |actual - expected|
  double scale = 0;  ///< largest |expected|
};

Difference Compare(const at::Tensor& actual, const artifacts::Tensor& expected) {
  const std::vector<double> want = artifacts::ToDoubles(expected);
  const at::Tensor flat = actual.to(torch::kFloat64).contiguous();
  Difference result;
  if (flat.sizes().vec() != expected.shape) return {INFINITY, 0};
  const double* got = flat.data_ptr<double>();
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double difference = std::abs(got[i] - want[i]);
    if (std::isnan(difference)) return {INFINITY, 0};
    result.worst = std::max(result.worst, difference);
    result.scale = std::max(result.scale, std::abs(want[i]));
  }
  return result;
}

/// Holds float64 results against stored ones, in the order of the network. Stored float64 values
/// must agree to 1e-9. Stored float32 values were computed in float32, which is 16 units in the
/// last place of the largest value here; in that arithmetic a rounding tie may also fall the other
/// way, and from the first such layer on only the flipped code's influence can be bounded.
class StoredResults {
 public:
  void Expect(const std::string& name, const at::Tensor& actual,
              const artifacts::Tensor& expected) {
    const Difference d = Compare(actual, expected);
    if (expected.dtype == artifacts::DType::kF64) {
      EXPECT_LE(d.worst, 1e-9) << name;
      return;
    }
    if (!flipped_ && d.worst > 1e-9 + d.scale * std::ldexp(1.0, -19)) {
      flipped_ = true;
      EXPECT_GT(tight_, 2) << name << " differs by " << d.worst << ": not a rounding tie";
      std::printf("[   NOTE   ] a rounding tie fell the other way before %s\n", name.c_str());
    }
    if (flipped_) {
      EXPECT_LE(d.worst, 0.02 * d.scale + 1e-3) << name;
    } else {
      ++tight_;
    }
  }

 private:
  bool flipped_ = false;
  int tight_ = 0;
};

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The subnet whose extracted BatchNorm names and shapes are those of the file.
std::string RecalibratedSubnet(const Case& loaded, const SafeTensors& file) {
  for (const auto& [name, architecture] : loaded.subnets) {
    std::size_t matches = 0;
    for (const artifacts::TensorSpec& spec : artifacts::SubnetTensors(
             loaded.net->space(), space::SubnetPlan(loaded.net->space(), architecture))) {
      const auto found = file.tensors.find("extracted." + spec.name);
      if (found != file.tensors.end() && found->second.shape == spec.shape) ++matches;
    }
    const auto extracted = [](const auto& entry) { return entry.first.starts_with("extracted."); };
    if (matches > 0 && matches == static_cast<std::size_t>(std::count_if(
                                      file.tensors.begin(), file.tensors.end(), extracted))) {
      return name;
    }
  }
  return "";
}

}  // namespace

std::vector<int> BitWidths(const std::string& folder) {
  std::vector<int> widths;
  for (int bits : {4, 3, 2}) {
    if (std::filesystem::exists(PathOf(folder, "state", bits))) widths.push_back(bits);
  }
  return widths;
}

void CheckLsq(const std::string& folder) {
  const Json cases = ReadJson(folder + "/lsq_cases.json").at("cases");
  ASSERT_FALSE(cases.empty());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Json& c = cases[i];
    SCOPED_TRACE("lsq case " + std::to_string(i) + " " + c.value("note", ""));
    const int p = c.at("p").get<int>();
    const LsqRange range =
        c.at("is_activation").get<bool>() ? ActivationCodes(p, false) : WeightCodes(p);
    const auto values = [&](const char* key) {
      const std::vector<double> list = c.at(key).get<std::vector<double>>();
      return torch::tensor(list, torch::kFloat64);
    };
    for (const auto dtype : {torch::kFloat64, torch::kFloat32}) {
      const bool exact = dtype == torch::kFloat64;
      const std::string suffix = exact ? "" : "_f32";
      const double tolerance = exact ? 1e-12 : 2e-5;
      torch::Tensor v = values("v").to(dtype).requires_grad_();
      torch::Tensor s =
          torch::full({1}, c.at("s").get<double>(), torch::kFloat64).to(dtype).requires_grad_();
      const torch::Tensor out = LsqQuantize(v, s, range);
      out.backward(values("upstream").to(dtype));
      const auto expect = [&](const torch::Tensor& got, const std::string& key) {
        if (!c.contains(key + suffix)) return;
        const torch::Tensor want =
            c.at(key + suffix).is_array()
                ? values((key + suffix).c_str())
                : torch::full({1}, c.at(key + suffix).get<double>(), torch::kFloat64);
        const double worst = (got.detach().to(torch::kFloat64) - want).abs().max().item<double>();
        EXPECT_LE(worst, tolerance) << key + suffix;
      };
      expect(out, "out");
      expect(v.grad(), "grad_v");
      expect(s.grad(), "grad_s");
    }
  }
}

void CheckLogits(const std::string& folder, int bits) {
  SCOPED_TRACE(folder + ", " + std::to_string(bits) + " bits");
  Case loaded = Load(folder, bits);
  const SafeTensors io = artifacts::ReadSafeTensors(PathOf(folder, "io", bits));
  const torch::NoGradGuard no_grad;
  int checked = 0;
  for (const auto& [name, expected] : io.tensors) {
    const std::vector<std::string> parts = Split(name, '_');  // logits f64 SIZE SUBNET
    if (parts.size() != 4 || parts[0] != "logits" || parts[1] != "f64") continue;
    SCOPED_TRACE(name);
    const space::Architecture& architecture = loaded.subnets.at(parts[3]);
    const at::Tensor input = FromArtifact(io.tensors.at("input_" + parts[2]));
    EXPECT_LE(Compare(loaded.net->Forward(input, architecture), expected).worst, 1e-9)
        << "supernet";
    FixedNet extracted(*loaded.net, architecture);
    EXPECT_LE(Compare(extracted.Forward(input), expected).worst, 1e-9) << "extracted";
    ++checked;
  }
  EXPECT_GT(checked, 0) << "no logits_f64_* in the io file";
}

void CheckRecalibration(const std::string& folder, int bits) {
  const std::string path = PathOf(folder, "bn_recal", bits);
  if (!std::filesystem::exists(path)) return;
  SCOPED_TRACE(path);
  Case loaded = Load(folder, bits);
  const SafeTensors file = artifacts::ReadSafeTensors(path);
  const std::string subnet = RecalibratedSubnet(loaded, file);
  ASSERT_NE(subnet, "") << "no subnet of the meta file has these extracted.* shapes";
  const space::Architecture& architecture = loaded.subnets.at(subnet);
  std::vector<torch::Tensor> batches;
  for (int i = 0; file.tensors.contains("cal_batch_" + std::to_string(i)); ++i) {
    batches.push_back(FromArtifact(file.tensors.at("cal_batch_" + std::to_string(i))));
  }
  ASSERT_FALSE(batches.empty());

  FixedNet extracted(*loaded.net, architecture);
  extracted.Recalibrate(batches);
  Recalibrate(*loaded.net, architecture, batches);
  const torch::NoGradGuard no_grad;
  const space::SearchSpace& space = loaded.net->space();
  const auto check = [&](const std::string& prefix, const std::vector<artifacts::TensorSpec>& specs,
                         const std::map<std::string, artifacts::Tensor>& tensors,
                         const std::string& logits, const auto& forward) {
    SCOPED_TRACE(prefix);
    StoredResults stored;
    int statistics = 0;
    for (const artifacts::TensorSpec& spec : specs) {
      const auto expected = file.tensors.find(prefix + spec.name);
      if (expected == file.tensors.end()) continue;
      stored.Expect(spec.name, FromArtifact(tensors.at(spec.name)), expected->second);
      ++statistics;
    }
    EXPECT_GT(statistics, 0);
    for (const auto& [name, expected] : file.tensors) {
      if (!name.starts_with(logits)) continue;
      const std::string input = "input_" + Split(name, '_').back();
      stored.Expect(name, forward(FromArtifact(file.tensors.at(input))), expected);
    }
  };
  check("extracted.", artifacts::SubnetTensors(space, space::SubnetPlan(space, architecture)),
        extracted.ToTensors(), "logits_after_recal_",
        [&](const at::Tensor& x) { return extracted.Forward(x); });
  check("super.", artifacts::SupernetTensors(space), loaded.net->ToTensors(),
        "logits_super_after_recal_",
        [&](const at::Tensor& x) { return loaded.net->Forward(x, architecture); });
}

}  // namespace oqat::supernet::parity
