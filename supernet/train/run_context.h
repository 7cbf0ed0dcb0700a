#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "supernet/elastic_net.h"
#include "supernet/train/device_batches.h"
#include "supernet/train/run_folder.h"
#include "supernet/train/schedule.h"
#include "supernet/train/stage_trainer.h"
#include "supernet/train/train_data.h"
#include "supernet/train/trainer.h"

namespace oqat::supernet {

/// What the parts of one training share.
struct RunContext {
  explicit RunContext(const TrainRequest& wanted)
      : request(wanted), recipe(wanted.recipe), start(std::chrono::steady_clock::now()) {}

  const TrainRequest& request;
  Recipe recipe;  ///< image_size set
  space::SearchSpace space;
  TrainData data;
  artifacts::Normalization normalization;
  std::optional<RunFolder> folder;
  std::optional<TimePlan> plan;
  c10::Device device{c10::kCPU};
  std::optional<DeviceImages> device_images;  ///< unless on the CPU
  TrainState state;
  const std::chrono::steady_clock::time_point start;
  double seconds_before = 0;  ///< trained before this process began

  /// Seconds of training so far, this process and those before.
  double Elapsed() const {
    return seconds_before +
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  void Say(const std::string& line) const {
    if (request.say) request.say(line);
  }
  double StepsOf(const RecipeStage& stage) const;
  /// Saves `state` with these tensors. Throws Error: RESOURCE_EXHAUSTED, or FAILED_PRECONDITION for
  /// a net that is not finite; the state before stays.
  void Save(const std::map<std::string, artifacts::Tensor>& net,
            const std::map<std::string, at::Tensor>& optimizer);
};

/// "float", "4 bit".
std::string StageName(int bits);

/// printf into a string of at most 255 characters.
std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

/// Measures subnets of `net` on search images and logs them; `epoch`: within the stage; absent at
/// its end, where random subnets and the test images are measured, too.
std::vector<SubnetScore> ScoreSubnets(RunContext& run, const ElasticNet& net,
                                      std::optional<double> epoch);

/// Images that ScoreSubnets pushes through, calibration included.
double ImagesScored(const RunContext& run, bool stage_end);

/// Trains stage `run.state.stage` from `run.state.steps` on; saves the state now and then.
/// `teacher`: empty without one. Throws Error CANCELLED once the request's `stop` is set
/// and the state is saved.
void TrainStage(RunContext& run, ElasticNet& net, FloatTeacher& teacher);

}  // namespace oqat::supernet
