#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "artifacts/model.h"
#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/progress.h"
#include "clients/cli/cli.h"
#include "clients/cli/connection.h"
#include "clients/cli/resource_json.h"
#include "clients/cli/text.h"
#include "rpc/convert.h"
#include "rpc/crc.h"

namespace oqat::clients {
namespace {

namespace fs = std::filesystem;

artifacts::ArtifactRef RefOf(const std::string& path) {
  return {Sha256HexOfFile(path), static_cast<std::uint64_t>(fs::file_size(path))};
}

// Checks a checkpoint where its file can still be named; the server checks again.
void CheckCheckpoint(const std::string& path, int bits, const space::SearchSpace& space) {
  const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(path);
  if (checkpoint.bits != bits) {
    throw InvalidField(path + ": bits", std::to_string(checkpoint.bits),
                       std::to_string(bits) + ", as model.json says");
  }
  if (checkpoint.space != space) {
    throw InvalidField(path + ": space", checkpoint.space.name,
                       "exactly the space of model.json, " + space.name);
  }
}

// The default name of a model: the folder's, made into an id.
std::string NameOfFolder(const std::string& dir) {
  fs::path path = fs::absolute(dir).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return std::isalnum(c) ? static_cast<char>(std::tolower(c)) : '-';
  });
  return name;
}

struct PushOptions {
  std::string dir, name;
  bool json = false;
};

// Sends the bytes of `path` in checksummed chunks. False: the server has closed the stream, its
// status says why.
bool SendFile(grpc::ClientWriter<v1::UploadModelRequest>& writer, const std::string& path,
              const std::string& sha256, const std::function<void(std::size_t)>& sent) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(Code::kNotFound, path + ": cannot be opened");
  std::uint64_t offset = 0;
  std::string buffer(rpc::kMaxChunkBytes, '\0');
  while (true) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto count = static_cast<std::size_t>(file.gcount());
    if (file.bad()) throw Error(Code::kInternal, path + ": cannot be read");
    if (count == 0) return true;
    v1::UploadModelRequest request;
    v1::ArtifactChunk& chunk = *request.mutable_chunk();
    chunk.set_sha256(sha256);
    chunk.set_offset(offset);
    chunk.set_data(buffer.data(), count);
    chunk.set_crc32(rpc::Crc32(chunk.data()));
    if (!writer.Write(request)) return false;
    offset += count;
    sent(count);
  }
}

int Push(const std::string& server, const PushOptions& options) {
  Connection connection(server);
  artifacts::Model model;
  model.name = options.name.empty() ? NameOfFolder(options.dir) : IdOf(options.name);
  artifacts::CheckModelName(model.name, "name");

  std::vector<std::pair<std::string, artifacts::ArtifactRef>> files;
  {
    ProgressBar bar("building the evaluation set");
    artifacts::ModelDirOptions how;
    how.progress = [&bar](std::int64_t done, std::int64_t total) {
      bar.Update(static_cast<double>(done), static_cast<double>(total));
    };
    const artifacts::ModelDir dir = artifacts::LoadModelDir(options.dir, how);
    model.space = dir.space;
    for (const auto& [bits, path] : dir.checkpoints) {
      CheckCheckpoint(path, bits, dir.space);
      model.checkpoints.push_back({bits, RefOf(path)});
      files.emplace_back(path, model.checkpoints.back().file);
    }
    artifacts::ReadEvaluationSet(dir.evaluation_set);
    model.evaluation_set = RefOf(dir.evaluation_set);
    files.emplace_back(dir.evaluation_set, model.evaluation_set);
  }
  double total = 0, done = 0;
  for (const auto& [path, ref] : files) total += static_cast<double>(ref.size);

  grpc::ClientContext context;
  v1::Model pushed;
  const auto writer = connection.models().UploadModel(&context, &pushed);
  v1::UploadModelRequest first;
  *first.mutable_model() = rpc::ToProto(model, 0);
  grpc::Status status;
  {
    ProgressBar bar("pushing " + model.name);
    bool open = writer->Write(first);
    for (const auto& [path, ref] : files) {
      if (!open) break;
      open = SendFile(*writer, path, ref.sha256, [&](std::size_t bytes) {
        done += static_cast<double>(bytes);
        bar.Update(done, total, FormatBytes(static_cast<std::uint64_t>(done)));
      });
    }
    writer->WritesDone();
    status = writer->Finish();
  }
  connection.Check(status);
  Print(options.json ? ModelJson(pushed).dump(2) + "\n"
                     : "pushed " + pushed.name() + " (" + pushed.content_id().substr(0, 12) + ", " +
                           FormatBytes(static_cast<std::uint64_t>(total)) + ")\n");
  return kExitOk;
}

std::string BitsText(const v1::Model& model) {
  std::string text;
  for (const v1::CheckpointRef& checkpoint : model.checkpoints()) {
    text += (text.empty() ? "" : " ") + std::to_string(checkpoint.bits());
  }
  return text;
}

std::string TimeText(const v1::Model& model) {
  return FormatTime(model.create_time().seconds(), model.create_time().nanos()).substr(0, 19);
}

int List(const std::string& server, bool json) {
  Connection connection(server);
  OrderedJson all = OrderedJson::array();
  Table table({{"model", Table::Align::kLeft},
               {"space", Table::Align::kLeft},
               {"bits", Table::Align::kLeft},
               {"evaluation set"},
               {"created (UTC)", Table::Align::kLeft},
               {"content", Table::Align::kLeft}});
  v1::ListModelsRequest request;
  do {
    const v1::ListModelsResponse page =
        connection.Call(&v1::ModelService::Stub::ListModels, connection.models(), request);
    for (const v1::Model& model : page.models()) {
      const OrderedJson item = ModelJson(model);
      table.AddRow({IdOf(model.name()), item.at("space").at("name").get<std::string>(),
                    BitsText(model), FormatBytes(model.evaluation_set().size()), TimeText(model),
                    model.content_id().substr(0, 12)});
      all.push_back(item);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (json) {
    Print(all.dump(2) + "\n");
  } else {
    Print(table.empty() ? "no models; `oqat model push DIR` adds one\n" : table.Render());
  }
  return kExitOk;
}

int Show(const std::string& server, const std::string& name, bool json) {
  Connection connection(server);
  v1::GetModelRequest request;
  request.set_name(ModelNameOf(name));
  const v1::Model model =
      connection.Call(&v1::ModelService::Stub::GetModel, connection.models(), request);
  const OrderedJson item = ModelJson(model);
  if (json) {
    Print(item.dump(2) + "\n");
    return kExitOk;
  }
  Table files({{"file", Table::Align::kLeft}, {"size"}, {"sha256", Table::Align::kLeft}});
  for (const v1::CheckpointRef& checkpoint : model.checkpoints()) {
    files.AddRow({std::to_string(checkpoint.bits()) + " bit checkpoint",
                  FormatBytes(checkpoint.file().size()), checkpoint.file().sha256()});
  }
  files.AddRow({"evaluation set", FormatBytes(model.evaluation_set().size()),
                model.evaluation_set().sha256()});
  Print("model    " + IdOf(model.name()) + "\nspace    " +
        item.at("space").at("name").get<std::string>() + "\ncreated  " + TimeText(model) +
        " UTC\ncontent  " + model.content_id() + "\n\n" + files.Render());
  return kExitOk;
}

int Delete(const std::string& server, const std::string& name) {
  Connection connection(server);
  v1::DeleteModelRequest request;
  request.set_name(ModelNameOf(name));
  connection.Call(&v1::ModelService::Stub::DeleteModel, connection.models(), request);
  Print("deleted " + request.name() + "\n");
  return kExitOk;
}

}  // namespace

void AddModelCommands(CLI::App& app, Cli& cli) {
  CLI::App* group = app.add_subcommand("model", "Models: what a coordinator searches");
  group->require_subcommand(1);
  auto options = std::make_shared<PushOptions>();

  CLI::App* push = group->add_subcommand("push", "Upload a model folder (model.json, checkpoints)");
  push->add_option("dir", options->dir, "Folder with model.json")->required();
  push->add_option("--name", options->name, "Name of the model; default: the folder's name");
  push->add_flag("--json", options->json, "The model as JSON");
  push->callback(
      [options, &cli] { cli.run = [options, &cli] { return Push(cli.server, *options); }; });

  CLI::App* list = group->add_subcommand("list", "All models");
  list->add_flag("--json", options->json, "A JSON array");
  list->callback(
      [options, &cli] { cli.run = [options, &cli] { return List(cli.server, options->json); }; });

  CLI::App* show = group->add_subcommand("show", "One model");
  show->add_option("name", options->name, "Model")->required();
  show->add_flag("--json", options->json, "As JSON");
  show->callback([options, &cli] {
    cli.run = [options, &cli] { return Show(cli.server, options->name, options->json); };
  });

  CLI::App* remove = group->add_subcommand("delete", "Delete a model that no search uses");
  remove->add_option("name", options->name, "Model")->required();
  remove->callback(
      [options, &cli] { cli.run = [options, &cli] { return Delete(cli.server, options->name); }; });
}

}  // namespace oqat::clients
