#include "supernet/train/stage_report.h"

namespace oqat::supernet {

Json StageReportToJson(const StageReport& report) {
  Json scores = Json::array();
  for (const SubnetScore& score : report.scores) {
    scores.push_back({{"name", score.name},
                      {"architecture", space::ArchitectureToJson(score.architecture)},
                      {"top1", score.top1},
                      {"loss", score.loss},
                      {"images", score.images},
                      {"test_top1", score.test_top1}});
  }
  return {{"bits", report.bits},        {"file", report.file},     {"sha256", report.sha256},
          {"steps", report.steps},      {"epochs", report.epochs}, {"seconds", report.seconds},
          {"scores", std::move(scores)}};
}

StageReport StageReportFromJson(const space::SearchSpace& space, const Json& json,
                                const std::string& path) {
  JsonReader reader(json, path);
  StageReport report;
  report.bits = static_cast<int>(reader.Int("bits", 1, 32));
  report.file = reader.String("file");
  report.sha256 = reader.String("sha256");
  report.steps = reader.Int("steps", 0, INT64_MAX);
  report.epochs = reader.Number("epochs", 0, 1e9);
  report.seconds = reader.Number("seconds", 0, 1e12);
  const Json& scores = reader.Get("scores");
  reader.Finish();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const std::string at = path + ".scores[" + std::to_string(i) + "]";
    JsonReader one(scores[i], at);
    SubnetScore score;
    score.name = one.String("name");
    score.architecture =
        space::ArchitectureFromJson(space, one.Get("architecture"), at + ".architecture");
    score.top1 = one.Number("top1", 0, 1);
    score.loss = one.Number("loss", 0, 1e300);
    score.images = one.Int("images", 0, INT64_MAX);
    score.test_top1 = one.Number("test_top1", 0, 1);
    one.Finish();
    report.scores.push_back(std::move(score));
  }
  return report;
}

}  // namespace oqat::supernet
