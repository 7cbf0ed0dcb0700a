// What goes wrong, through the whole stack: one line, the right exit status, nothing left behind.

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "base/files.h"
#include "tests/e2e/farm.h"

namespace oqat::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void ExpectError(const Outcome& outcome, int status, const ::testing::Matcher<std::string>& says) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_THAT(outcome.err, says);
  EXPECT_THAT(outcome.err, HasSubstr("error: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

std::vector<std::string> Create(std::vector<std::string> more, const std::string& model = "hollow",
                                const std::string& evaluations = "10") {
  std::vector<std::string> args{"search", "create", "--model", model, "--evaluations", evaluations};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST(BadRequests, NameTheFieldTheValueAndWhatIsAllowed) {
  Farm farm;
  farm.PushHollowModel();
  ExpectError(farm.Oqat(Create({}, "gone")), 3, AllOf(HasSubstr("gone"), HasSubstr("hollow")));
  ExpectError(farm.Oqat(Create({}, "hollow", "0")), 2,
              AllOf(HasSubstr("evaluations"), HasSubstr("0")));
  ExpectError(farm.Oqat(Create({"--strategy", "magic"})), 2,
              AllOf(HasSubstr("magic"), HasSubstr("predictor_nsga2")));
  ExpectError(farm.Oqat(Create({"--objective", "speed:max"})), 2,
              AllOf(HasSubstr("speed"), HasSubstr("top1")));
  ExpectError(farm.Oqat(Create({"--constraint", "bitops<=10"})), 2,
              AllOf(HasSubstr("bitops"), HasSubstr("60")));  // the least is about 60.7 million
  ExpectError(farm.Oqat(Create({"--bits", "8"})), 2, AllOf(HasSubstr("8"), HasSubstr("4, 3, 2")));
  ExpectError(farm.Oqat(Create({"--warm-start", "gone"})), 3,
              AllOf(HasSubstr("warm_start[0]"), HasSubstr("gone")));
  ExpectError(farm.Oqat(Create({"--strategy", "nsga3"})), 2,
              AllOf(HasSubstr("objectives"), HasSubstr("2 objectives"), HasSubstr("at least 3")));
  ExpectError(farm.Oqat(Create({"--max-seconds", "-1"})), 2,
              AllOf(HasSubstr("max_seconds"), HasSubstr("-1")));
  ExpectError(farm.Oqat({"search", "show", "gone"}), 3, HasSubstr("gone"));
  ExpectError(farm.Oqat({"front", "gone"}), 3, HasSubstr("gone"));
  ExpectError(farm.Oqat({"model", "delete", "gone"}), 3, HasSubstr("gone"));
  EXPECT_EQ(farm.OqatJson({"search", "list", "--json"}).dump(), "[]");
}

TEST(BadModels, LeaveNothingBehind) {
  Farm farm;
  WriteHollowModel(farm.folder() / "hollow");
  std::string bytes = ReadFile(farm.folder() / "hollow/b3.safetensors");
  WriteFileAtomically(farm.folder() / "hollow/b3.safetensors", bytes.substr(0, bytes.size() - 2));
  ExpectError(farm.Oqat({"model", "push", farm.folder() / "hollow"}), 4, HasSubstr("b3"));
  // A checkpoint of another width under this one's name.
  WriteFileAtomically(farm.folder() / "hollow/b3.safetensors",
                      ReadFile(farm.folder() / "hollow/b2.safetensors"));
  ExpectError(farm.Oqat({"model", "push", farm.folder() / "hollow"}), 2, HasSubstr("bits"));
  EXPECT_EQ(farm.OqatJson({"model", "list", "--json"}).dump(), "[]");
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(farm.folder() / "server")) {
    files += entry.path().string().find("/artifacts/") != std::string::npos ||
             entry.path().string().find("/uploads/") != std::string::npos;
  }
  EXPECT_EQ(files, 0);
}

TEST(Coordinator, RefusesAPortInUseAndASharedDataDirectory) {
  Farm farm;
  const Outcome port = oqat::testing::Run({"oqat-server", "--listen", farm.address(), "--data",
                            farm.folder() / "other"}, {}, 20);
  EXPECT_NE(port.status, 0);
  EXPECT_THAT(port.err, AllOf(HasSubstr("error: "), HasSubstr(farm.address())));
  EXPECT_FALSE(std::filesystem::exists(farm.folder() / "other/oqat.db"));
  const Outcome data = oqat::testing::Run({"oqat-server", "--listen", "127.0.0.1:0", "--data",
                            farm.folder() / "server"}, {}, 20);
  EXPECT_NE(data.status, 0);
  EXPECT_THAT(data.err, AllOf(HasSubstr("error: "), HasSubstr("in use")));
}

TEST(Coordinator, EndsCleanlyOnTerm) {
  Farm farm;
  farm.AddWorker("oqat-fake-worker");
  farm.server().Signal(SIGTERM);
  EXPECT_EQ(farm.server().Wait(20), 0) << ReadFile(farm.folder() / "server.log");
}

TEST(NoCoordinator, IsOneLineThatSaysWhatToDo) {
  const Outcome outcome = oqat::testing::Run({"oqat", "--server", "127.0.0.1:1", "search", "list"});
  ExpectError(outcome, 5, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("oqat-server")));
}

TEST(NoWorkers, TheSearchWaitsAndSaysSo) {
  Farm farm;
  farm.PushHollowModel();
  ASSERT_EQ(farm.Oqat(Create({"--name", "s"})).status, 0);
  const Json waiting = farm.AwaitSearch("s", [](const Json& search) {
    return search["progress"]["note"].get<std::string>().find("worker") != std::string::npos;
  });
  EXPECT_EQ(waiting["state"], "RUNNING");
  const std::string log = farm.folder() / "watch.log";
  Process watch({"oqat", "--server", farm.address(), "search", "watch", "s"}, log);
  for (int i = 0; i < 200; ++i) {  // the file is there once the process has begun
    watch.Wait(0.05);
    if (std::filesystem::exists(log) &&
        ReadFile(log).find("waiting for workers") != std::string::npos) {
      break;
    }
  }
  EXPECT_THAT(ReadFile(log), HasSubstr("waiting for workers"));
  farm.AddWorker("oqat-fake-worker");
  EXPECT_EQ(watch.Wait(60), 0) << ReadFile(log);
}

TEST(Lifecycle, PauseResumeCancelDelete) {
  Farm farm;
  farm.PushHollowModel();
  ASSERT_EQ(farm.Oqat(Create({"--name", "s"})).status, 0);
  ASSERT_EQ(farm.Oqat({"search", "pause", "s"}).status, 0);
  EXPECT_EQ(farm.OqatJson({"search", "show", "s", "--json"})["state"], "PAUSED");
  farm.KillServer();
  farm.StartServer();
  EXPECT_EQ(farm.OqatJson({"search", "show", "s", "--json"})["state"], "PAUSED");
  ExpectError(farm.Oqat({"search", "delete", "s"}), 2, HasSubstr("PAUSED"));
  ASSERT_EQ(farm.Oqat({"search", "resume", "s"}).status, 0);
  ExpectError(farm.Oqat({"model", "delete", "hollow"}), 2, HasSubstr("hollow"));
  ASSERT_EQ(farm.Oqat({"search", "cancel", "s"}).status, 0);
  EXPECT_EQ(farm.OqatJson({"search", "show", "s", "--json"})["state"], "CANCELLED");
  ASSERT_EQ(farm.Oqat({"search", "delete", "s"}).status, 0);
  ExpectError(farm.Oqat({"search", "show", "s"}), 3, HasSubstr("s"));
  EXPECT_EQ(farm.Oqat({"model", "delete", "hollow"}).status, 0);
}

}  // namespace
}  // namespace oqat::testing
