#pragma once

#include <signal.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/e2e/process.h"

namespace oqat::testing {

/// Writes a pushable model folder of tiny-mbv3 whose checkpoints hold hardly anything: for fake
/// workers, which measure without a network.
void WriteHollowModel(const std::string& folder);

/// A coordinator in a scratch folder with workers and the command line pointed at it.
class Farm {
 public:
  Farm();

  /// Starts (again) on the same data directory and the same port. Fails the test if it does not.
  void StartServer();
  void KillServer() { server_->Signal(SIGKILL); }
  Process& server() { return *server_; }

  /// `program` is oqat-worker or oqat-fake-worker.
  Process& AddWorker(const std::string& program, const std::vector<std::string>& options = {});
  std::vector<Process>& workers() { return workers_; }

  /// `oqat ARGS...` against this coordinator.
  Outcome Oqat(const std::vector<std::string>& args, double seconds = 240) const;
  /// The same, its standard output parsed; fails the test unless the exit status is 0.
  Json OqatJson(const std::vector<std::string>& args, double seconds = 240) const;

  /// Pushes a hollow model as "hollow".
  void PushHollowModel();

  /// Polls `oqat search show` until `done(search)` or fails the test after `seconds`.
  Json AwaitSearch(const std::string& name, const std::function<bool(const Json&)>& done,
                   double seconds = 60) const;

  const ScratchFolder& folder() const { return folder_; }
  std::string address() const { return "127.0.0.1:" + port_; }

 private:
  ScratchFolder folder_;
  std::string port_ = "0";
  std::optional<Process> server_;
  std::vector<Process> workers_;
};

/// What must not depend on workers or restarts: keys and metrics of the front, in order.
Json EssenceOfFront(const Json& front);

}  // namespace oqat::testing
