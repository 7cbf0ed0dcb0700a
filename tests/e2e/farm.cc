#include "tests/e2e/farm.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "base/files.h"

namespace oqat::testing {

void WriteHollowModel(const std::string& folder) {
  std::filesystem::create_directories(folder);
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  Json model = {{"space", space.name}, {"checkpoints", Json::object()},
                {"evaluation_set", "set.safetensors"}};
  for (int bits : space.bits) {
    artifacts::Checkpoint checkpoint;
    checkpoint.space = space;
    checkpoint.bits = bits;
    checkpoint.lineage.seed = static_cast<std::uint64_t>(bits);
    const float value = 1;
    checkpoint.tensors["hollow"] = artifacts::TensorFromFloats({1}, &value);
    const std::string name = "b" + std::to_string(bits) + ".safetensors";
    artifacts::WriteCheckpoint(folder + "/" + name, checkpoint);
    model["checkpoints"][std::to_string(bits)] = name;
  }
  artifacts::EvaluationSet set;
  set.source = "hollow";
  set.image_size = 8;
  for (int i = 0; i < space.num_classes; ++i) set.class_names.push_back(std::to_string(i));
  for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
    images->size = set.image_size;
    const std::vector<std::uint8_t> image(3 * 8 * 8, 7);
    for (int i = 0; i < 4; ++i) images->Append(image.data(), i);
  }
  artifacts::WriteEvaluationSet(folder + "/set.safetensors", set);
  WriteFileAtomically(folder + "/model.json", model.dump());
}

Farm::Farm() { StartServer(); }

void Farm::StartServer() {
  const std::string port_file = folder_ / "port";
  std::filesystem::remove(port_file);
  server_.emplace(std::vector<std::string>{"oqat-server", "--listen", address(), "--data",
                                           folder_ / "server", "--port-file", port_file},
                  folder_ / "server.log");
  for (int i = 0; i < 2000; ++i) {
    if (std::filesystem::exists(port_file)) {
      port_ = ReadFile(port_file);
      while (!port_.empty() && port_.back() == '\n') port_.pop_back();
      if (!port_.empty()) return;
    }
    if (!server_->Running()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ADD_FAILURE() << "oqat-server did not start:\n" << ReadFile(folder_ / "server.log");
}

Process& Farm::AddWorker(const std::string& program, const std::vector<std::string>& options) {
  const std::string name = "w" + std::to_string(workers_.size());
  std::vector<std::string> argv{program, "--coordinator", address(), "--id", name, "--cache",
                                folder_ / name};
  argv.insert(argv.end(), options.begin(), options.end());
  workers_.emplace_back(argv, folder_ / (name + ".log"));
  return workers_.back();
}

Outcome Farm::Oqat(const std::vector<std::string>& args, double seconds) const {
  std::vector<std::string> argv{"oqat"};
  argv.insert(argv.end(), args.begin(), args.end());
  return Run(argv, {{"OQAT_SERVER", address()}}, seconds);
}

Json Farm::OqatJson(const std::vector<std::string>& args, double seconds) const {
  const Outcome outcome = Oqat(args, seconds);
  if (outcome.status != 0) {
    ADD_FAILURE() << "oqat " << args.at(0) << " exited with " << outcome.status << ": "
                  << outcome.err << "\nserver: " << ReadFile(folder_ / "server.log");
    return Json();
  }
  return ParseJson(outcome.out, "standard output");
}

void Farm::PushHollowModel() {
  WriteHollowModel(folder_ / "hollow");
  const Outcome pushed = Oqat({"model", "push", folder_ / "hollow"});
  ASSERT_EQ(pushed.status, 0) << pushed.err;
}

Json Farm::AwaitSearch(const std::string& name, const std::function<bool(const Json&)>& done,
                       double seconds) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  Json search;
  do {
    search = OqatJson({"search", "show", name, "--json"});
    if (search.is_null() || done(search)) return search;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  ADD_FAILURE() << name << " is still " << search.dump();
  return search;
}

Json EssenceOfFront(const Json& front) {
  Json essence = Json::array();
  for (const Json& member : front) {
    essence.push_back({{"round", member.at("round")},
                       {"index", member.at("index")},
                       {"architecture", member.at("architecture")},
                       {"metrics", member.at("metrics")},
                       {"test_metrics", member.at("test_metrics")}});
  }
  return essence;
}

}  // namespace oqat::testing
