#include "clients/cli/front_text.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "clients/cli/plot.h"
#include "clients/cli/resource_json.h"
#include "space/metric.h"

namespace oqat::clients {
namespace {

constexpr int kPageSize = 1000;

// Objectives that have no column of their own.
std::vector<std::string> OtherObjectives(const v1::Front& front) {
  static const std::set<std::string> shown = {"bitops", "macs", "weight_bytes", "top1"};
  std::vector<std::string> others;
  for (const v1::Objective& objective : front.objectives()) {
    if (!shown.contains(objective.metric())) others.push_back(objective.metric());
  }
  return others;
}

bool IsCostName(const std::string& name) { return !space::IsQuality(space::MetricFromName(name)); }

std::string Raw(double value) {
  if (!std::isfinite(value)) return "";
  std::string text;
  AppendNumber(text, value);
  if (text.ends_with(".0")) text.erase(text.size() - 2);
  return text;
}

}  // namespace

v1::Front FetchFront(Connection& connection, const std::string& search_name) {
  v1::GetFrontRequest request;
  request.set_name(search_name);
  return connection.Call(&v1::SearchService::Stub::GetFront, connection.searches(), request);
}

std::vector<v1::Evaluation> FetchEvaluations(Connection& connection,
                                             const std::string& search_name) {
  std::vector<v1::Evaluation> all;
  v1::ListEvaluationsRequest request;
  request.set_parent(search_name);
  request.set_page_size(kPageSize);
  do {
    const v1::ListEvaluationsResponse page =
        connection.Call(&v1::SearchService::Stub::ListEvaluations, connection.searches(), request);
    all.insert(all.end(), page.evaluations().begin(), page.evaluations().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

std::string FrontTable(const v1::Front& front) {
  std::vector<Table::Column> columns = {{"bits"},    {"px"},          {"BitOPs"},   {"MACs"},
                                        {"weights"}, {"search top1"}, {"test top1"}};
  const std::vector<std::string> others = OtherObjectives(front);
  for (const std::string& name : others) columns.push_back({name});
  columns.push_back({"architecture", Table::Align::kLeft});
  Table table(std::move(columns));
  for (const v1::Evaluation& e : front.evaluations()) {
    const double bytes = MetricOf(e.metrics(), "weight_bytes");
    std::vector<std::string> row = {
        std::to_string(e.architecture().bits()),
        std::to_string(e.architecture().resolution()),
        FormatSi(MetricOf(e.metrics(), "bitops")),
        FormatSi(MetricOf(e.metrics(), "macs")),
        std::isfinite(bytes) ? FormatBytes(static_cast<std::uint64_t>(bytes)) : "-",
        FormatPercent(MetricOf(e.metrics(), "top1")),
        FormatPercent(MetricOf(e.test_metrics(), "top1"))};
    for (const std::string& name : others) row.push_back(FormatSi(MetricOf(e.metrics(), name)));
    row.push_back(e.architecture_key());
    table.AddRow(std::move(row));
  }
  return table.Render();
}

std::string FrontCsv(const v1::Front& front) {
  static const std::vector<std::string> costs = {"bitops", "macs", "weighted_macs", "params",
                                                 "weight_bytes"};
  std::string out = "round,index,bits,resolution";
  for (const std::string& name : costs) out += "," + name;
  out += ",search_top1,search_loss,test_top1,test_loss,key,latency_ms,cpu\n";
  for (const v1::Evaluation& e : front.evaluations()) {
    out += std::to_string(e.round()) + "," + std::to_string(e.index()) + "," +
           std::to_string(e.architecture().bits()) + "," +
           std::to_string(e.architecture().resolution());
    for (const std::string& name : costs) out += "," + Raw(MetricOf(e.metrics(), name));
    for (const char* name : {"top1", "loss"}) out += "," + Raw(MetricOf(e.metrics(), name));
    for (const char* name : {"top1", "loss"}) out += "," + Raw(MetricOf(e.test_metrics(), name));
    out += "," + CsvField(e.architecture_key()) + "," + Raw(MetricOf(e.metrics(), "latency_ms")) +
           "," + CsvField(e.cpu()) + "\n";
  }
  return out;
}

std::string FrontPlot(const v1::Front& front, const std::vector<v1::Evaluation>& evaluations,
                      const Terminal& terminal) {
  std::string x = "bitops", y = "top1";
  bool x_found = false, y_found = false;
  for (const v1::Objective& objective : front.objectives()) {
    const bool is_cost = IsCostName(objective.metric());
    if (is_cost && !std::exchange(x_found, true)) x = objective.metric();
    if (!is_cost && (!std::exchange(y_found, true) || objective.metric() == "top1")) {
      y = objective.metric();
    }
  }
  std::set<std::string> members;
  std::vector<PlotPoint> points;
  for (const v1::Evaluation& e : front.evaluations()) {
    members.insert(e.name());
    points.push_back(
        {MetricOf(e.metrics(), x), MetricOf(e.metrics(), y), e.architecture().bits(), true});
  }
  for (const v1::Evaluation& e : evaluations) {
    if (e.state() != v1::Evaluation::DONE || members.contains(e.name())) continue;
    points.push_back(
        {MetricOf(e.metrics(), x), MetricOf(e.metrics(), y), e.architecture().bits(), false});
  }
  PlotOptions options;
  options.x_title = x;
  options.y_title = y;
  options.percent_y = y == "top1";
  options.width = std::min(terminal.width, 100);
  options.unicode = terminal.utf8;
  options.color = terminal.color;
  // With a third objective the front is no staircase in this plane.
  options.steps = front.objectives_size() == 2 && x_found && y_found;
  return Plot(points, options);
}

}  // namespace oqat::clients
