#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "clients/cli/cli.h"
#include "clients/cli/connection.h"
#include "clients/cli/front_text.h"
#include "clients/cli/resource_json.h"
#include "clients/cli/search_flags.h"
#include "clients/cli/text.h"
#include "clients/cli/watch.h"
#include "rpc/convert.h"

namespace oqat::clients {
namespace {

using Stub = v1::SearchService::Stub;

constexpr std::uint64_t kMaxRequestBytes = 1 << 20;

std::string StateText(const v1::Search& search) { return v1::Search::State_Name(search.state()); }

std::string Progress(const v1::Search& search) {
  const v1::SearchProgress& p = search.progress();
  return std::to_string(p.evaluations_done()) + "/" + std::to_string(p.evaluations_total());
}

std::string SearchText(const v1::Search& search) {
  const v1::SearchProgress& p = search.progress();
  const v1::SearchSpec& spec = search.spec();
  std::string objectives, constraints;
  for (const v1::Objective& objective : spec.objectives()) {
    objectives += (objectives.empty() ? "" : ", ") + objective.metric() +
                  (objective.maximize() ? ":max" : ":min");
  }
  const auto constrain = [&](const std::string& metric, const char* relation, double bound) {
    constraints += (constraints.empty() ? "" : ", ") + metric + relation + FormatSi(bound);
  };
  for (const v1::Constraint& constraint : spec.constraints()) {
    if (constraint.has_min()) constrain(constraint.metric(), ">=", constraint.min());
    if (constraint.has_max()) constrain(constraint.metric(), "<=", constraint.max());
  }
  std::string text =
      "search       " + IdOf(search.name()) + "\nmodel        " + IdOf(search.model()) +
      "\nstate        " + StateText(search) +
      (search.error().empty() ? "" : ": " + search.error()) + "\nevaluations  " + Progress(search) +
      ", " + std::to_string(p.evaluations_cached()) + " cached, " +
      std::to_string(p.evaluations_failed()) + " failed, " + std::to_string(p.in_flight()) +
      " running on " + std::to_string(p.connected_workers()) + " workers" + "\ntest split   " +
      std::to_string(p.final_done()) + "/" + std::to_string(p.final_total()) + "\nfront        " +
      std::to_string(p.front_size()) + " architectures, hypervolume " + FormatSi(p.hypervolume()) +
      "\nstrategy     " + spec.strategy() + ", seed " + std::to_string(spec.seed()) +
      ", rounds of " + std::to_string(spec.round_size()) + ", lag " + std::to_string(spec.lag()) +
      "\nobjectives   " + objectives + "\nengine       " + spec.engine() +
      (spec.cpu().empty() ? "" : " on " + spec.cpu()) +
      (spec.early_stop() ? ", hopeless candidates are given up early" : "") + "\n";
  std::string warm;
  for (const std::string& name : spec.warm_start()) warm += (warm.empty() ? "" : ", ") + IdOf(name);
  if (!warm.empty()) text += "warm start   " + warm + "\n";
  if (spec.stop_after_stagnant_rounds() > 0) {
    text += "stops after  " + std::to_string(spec.stop_after_stagnant_rounds()) +
            " rounds without growth\n";
  }
  if (spec.max_seconds() > 0) {
    text += "stops after  " + std::to_string(spec.max_seconds()) + " s\n";
  }
  if (!constraints.empty()) text += "constraints  " + constraints + "\n";
  if (!p.note().empty()) text += "note         " + p.note() + "\n";
  return text;
}

// After a search was waited for: its end as an exit code, a bad end also as the usual line.
int ExitCodeOfEnd(const v1::Search& search) {
  if (search.state() == v1::Search::SUCCEEDED) return kExitOk;
  const std::string why = search.error().empty() ? "" : ": " + search.error();
  std::fprintf(stderr, "oqat: error: search %s ended as %s%s; `oqat search show %s` tells more\n",
               IdOf(search.name()).c_str(), StateText(search).c_str(), why.c_str(),
               IdOf(search.name()).c_str());
  return kExitSearchEnded;
}

struct CreateOptions {
  SearchFlags flags;
  std::string request_id;
  bool wait = false, json = false;
};

void PrintFinished(Connection& connection, const v1::Search& search, bool json) {
  const v1::Front front = FetchFront(connection, search.name());
  if (json) {
    OrderedJson result = {{"search", SearchJson(search)},
                          {"front", FrontJson(front).at("evaluations")}};
    Print(result.dump(2) + "\n");
    return;
  }
  Print(SearchText(search));
  if (!front.evaluations().empty()) Print("\n" + FrontTable(front));
}

int Create(const std::string& server, const CreateOptions& options) {
  const std::string& file = options.flags.request_file;
  const SearchOrder order =
      file.empty()
          ? MakeSearchOrder(options.flags)
          : MakeSearchOrder(options.flags, ParseJson(ReadFile(file, kMaxRequestBytes), file));
  v1::CreateSearchRequest request;
  request.set_model(ModelNameOf(order.model));
  request.set_search_id(order.name);
  request.set_request_id(options.request_id);
  *request.mutable_spec() = rpc::ToProto(rpc::SearchSpecParts{order.request, order.measurement});

  Connection connection(server);
  v1::Search search = connection.Call(&Stub::CreateSearch, connection.searches(), request);
  if (!options.wait) {
    const std::string id = IdOf(search.name());
    Print(options.json ? SearchJson(search).dump(2) + "\n"
                       : "created " + search.name() + "; `oqat search watch " + id +
                             "` follows it, `oqat front " + id + "` shows its front\n");
    return kExitOk;
  }
  search = WatchSearch(connection, {.name = search.name(), .on_event = {}});
  PrintFinished(connection, search, options.json);
  return ExitCodeOfEnd(search);
}

int List(const std::string& server, bool json) {
  Connection connection(server);
  OrderedJson all = OrderedJson::array();
  Table table({{"search", Table::Align::kLeft},
               {"model", Table::Align::kLeft},
               {"state", Table::Align::kLeft},
               {"evaluations"},
               {"front"},
               {"created (UTC)", Table::Align::kLeft},
               {"note", Table::Align::kLeft}});
  v1::ListSearchesRequest request;
  do {
    const v1::ListSearchesResponse page =
        connection.Call(&Stub::ListSearches, connection.searches(), request);
    for (const v1::Search& search : page.searches()) {
      all.push_back(SearchJson(search));
      const auto& created = search.create_time();
      table.AddRow({IdOf(search.name()), IdOf(search.model()), StateText(search), Progress(search),
                    std::to_string(search.progress().front_size()),
                    FormatTime(created.seconds(), created.nanos()).substr(0, 19),
                    search.error().empty() ? search.progress().note() : search.error()});
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (json) {
    Print(all.dump(2) + "\n");
  } else {
    Print(table.empty() ? "no searches; `oqat search create` starts one\n" : table.Render());
  }
  return kExitOk;
}

struct OneOptions {
  std::string search;
  bool json = false;
};

int Watch(const std::string& server, const OneOptions& options) {
  Connection connection(server);
  WatchOptions watch;
  watch.name = SearchNameOf(options.search);
  if (options.json) {
    watch.quiet = true;
    watch.on_event = [](const v1::SearchEvent& event) { Print(EventJson(event).dump() + "\n"); };
  }
  const v1::Search search = WatchSearch(connection, watch);
  if (!options.json) Print(SearchText(search));
  return ExitCodeOfEnd(search);
}

// Get, Pause, Resume and Cancel: a name in, the search out.
template <typename Request>
int One(const std::string& server, const OneOptions& options,
        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::Search*)) {
  Connection connection(server);
  Request request;
  request.set_name(SearchNameOf(options.search));
  const v1::Search search = connection.Call(method, connection.searches(), request);
  Print(options.json ? SearchJson(search).dump(2) + "\n" : SearchText(search));
  return kExitOk;
}

int Delete(const std::string& server, const OneOptions& options) {
  Connection connection(server);
  v1::DeleteSearchRequest request;
  request.set_name(SearchNameOf(options.search));
  connection.Call(&Stub::DeleteSearch, connection.searches(), request);
  Print("deleted " + request.name() + "\n");
  return kExitOk;
}

void AddCreate(CLI::App& group, Cli& cli) {
  auto options = std::make_shared<CreateOptions>();
  SearchFlags& flags = options->flags;
  CLI::App* create = group.add_subcommand("create", "Start a search");
  create->add_option("--model", flags.model, "Model to search");
  create->add_option("--name", flags.name, "Name of the search; default: given by the server");
  create->add_option("--evaluations", flags.evaluations, "Budget: architectures to measure");
  create->add_option("--strategy", flags.strategy,
                     "predictor_nsga2 (default), coarse_to_fine, nsga2, nsga3 or random");
  create->add_option("--seed", flags.seed, "Equal requests with equal seeds give equal fronts")
      ->check(SeedValidator());
  create->add_option("--round-size", flags.round_size, "Architectures proposed together; 16");
  create->add_option("--lag", flags.lag, "Rounds that may be under way at once; 2");
  create
      ->add_option("--objective", flags.objectives,
                   "METRIC:max or METRIC:min, repeated; default top1:max and bitops:min")
      ->allow_extra_args(false);
  create
      ->add_option("--constraint", flags.constraints,
                   "METRIC<=NUMBER or METRIC>=NUMBER, repeated; suffixes k, M, G, T")
      ->allow_extra_args(false);
  create->add_option("--bits", flags.bits, "Bit widths to search, 4,3; default: the model's")
      ->delimiter(',')
      ->allow_extra_args(false);
  create->add_option("--calibration-images", flags.calibration_images, "0: all");
  create->add_option("--search-images", flags.search_images, "0: all");
  create->add_option("--engine", flags.engine, "What measures: int8 (default) or torch");
  create->add_option("--cpu", flags.cpu,
                     "Processor that latency_ms is measured on; default: the workers' one");
  create
      ->add_option("--warm-start", flags.warm_start,
                   "An ended search of the same model whose results are known; repeated")
      ->allow_extra_args(false);
  create->add_option("--stop-after-stagnant-rounds", flags.stop_after_stagnant_rounds,
                     "End after so many rounds without growth of the hypervolume; 0: never");
  create->add_option("--max-seconds", flags.max_seconds,
                     "Propose no further round after so long; 0: no limit");
  create->add_flag("--early-stop", flags.early_stop,
                   "Give candidates up once they can hardly reach the front");
  create->add_option("--request", flags.request_file,
                     "JSON file with the same fields; flags come first");
  create->add_option("--request-id", options->request_id,
                     "The same id returns the search made before");
  create->add_flag("--wait", options->wait, "Follow it to its end, then print it and its front");
  create->add_flag("--json", options->json, "The search as JSON; with --wait also its front");
  create->callback(
      [options, &cli] { cli.run = [options, &cli] { return Create(cli.server, *options); }; });
}

}  // namespace

void AddSearchCommands(CLI::App& app, Cli& cli) {
  CLI::App* group = app.add_subcommand("search", "Searches");
  group->require_subcommand(1);
  AddCreate(*group, cli);

  auto options = std::make_shared<OneOptions>();
  CLI::App* list = group->add_subcommand("list", "All searches, newest first");
  list->add_flag("--json", options->json, "A JSON array");
  list->callback(
      [options, &cli] { cli.run = [options, &cli] { return List(cli.server, options->json); }; });

  const auto add = [&](const char* name, const char* help, const char* json_help, auto work) {
    CLI::App* command = group->add_subcommand(name, help);
    command->add_option("search", options->search, "Search")->required();
    if (json_help != nullptr) command->add_flag("--json", options->json, json_help);
    command->callback([options, &cli, work] {
      cli.run = [options, &cli, work] { return work(cli.server, *options); };
    });
  };
  const auto unary = [](auto method) {
    return [method](const std::string& server, const OneOptions& one) {
      return One(server, one, method);
    };
  };
  add("show", "One search", "As JSON", unary(&Stub::GetSearch));
  add("watch", "Follow a search to its end; Ctrl-C leaves it running", "A JSON line per event",
      Watch);
  add("pause", "Hand out no more work", "As JSON", unary(&Stub::PauseSearch));
  add("resume", "Go on after a pause", "As JSON", unary(&Stub::ResumeSearch));
  add("cancel", "End a search before its time", "As JSON", unary(&Stub::CancelSearch));
  add("delete", "Forget a search that has ended", nullptr, Delete);
}

}  // namespace oqat::clients
