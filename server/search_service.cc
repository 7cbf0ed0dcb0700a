// SPDX-License-Identifier: Apache-2.0
#include "server/search_service.h"

#include "rpc/convert.h"
#include "rpc/names.h"
#include "rpc/page_token.h"
#include "server/unary.h"
#include "server/view_convert.h"
#include "server/watch_call.h"

namespace oqat::server {
namespace {

constexpr int kSearchesPerPage = 50;
constexpr int kEvaluationsPerPage = 100;
constexpr const char* kSearchList = "searches";

Callback<SearchView> AnswerWith(v1::Search* response, const Finish& finish) {
  return [response, finish](const std::optional<Error>& error, const SearchView& view) {
    if (!error) *response = ToProto(view);
    finish(error);
  };
}

// A token is opaque to users but not trusted: anybody can encode another position.
std::int64_t Position(const Json& position, const char* field) {
  const auto found = position.find(field);
  if (found == position.end() || !found->is_number_integer()) {
    throw InvalidField("page_token", "a forged one", "next_page_token of an earlier answer");
  }
  return found->get<std::int64_t>();
}

}  // namespace

grpc::ServerUnaryReactor* SearchService::CreateSearch(grpc::CallbackServerContext* context,
                                                      const v1::CreateSearchRequest* request,
                                                      v1::Search* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    CreateSearchParams params;
    params.model = rpc::ParseModelName(request->model(), "model");
    const rpc::SearchSpecParts parts = rpc::FromProto(request->spec(), "spec");
    params.spec = {parts.request, parts.measurement};
    params.search_id = request->search_id();
    params.request_id = request->request_id();
    searches_.Create(params, AnswerWith(response, finish));
  });
}

grpc::ServerUnaryReactor* SearchService::GetSearch(grpc::CallbackServerContext* context,
                                                   const v1::GetSearchRequest* request,
                                                   v1::Search* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Get(rpc::ParseSearchName(request->name(), "name"), AnswerWith(response, finish));
  });
}

grpc::ServerUnaryReactor* SearchService::ListSearches(grpc::CallbackServerContext* context,
                                                      const v1::ListSearchesRequest* request,
                                                      v1::ListSearchesResponse* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    const int size = rpc::PageSize(request->page_size(), kSearchesPerPage);
    storage::SearchCursor after;
    if (!request->page_token().empty()) {
      const Json position = rpc::DecodePageToken(kSearchList, request->page_token());
      after.create_time_ms = Position(position, "time");
      const auto id = position.find("id");
      if (id != position.end() && id->is_string()) after.id = id->get<std::string>();
    }
    // One more than asked for tells whether there is a next page.
    searches_.List(after, size + 1,
                   [=](const std::optional<Error>& error, const std::vector<SearchView>& views) {
                     for (const SearchView& view : views) {
                       if (response->searches_size() == size) {
                         const auto& last = views[static_cast<std::size_t>(size) - 1];
                         response->set_next_page_token(rpc::EncodePageToken(
                             kSearchList, {{"time", last.create_time_ms}, {"id", last.id}}));
                         break;
                       }
                       *response->add_searches() = ToProto(view);
                     }
                     finish(error);
                   });
  });
}

grpc::ServerUnaryReactor* SearchService::DeleteSearch(grpc::CallbackServerContext* context,
                                                      const v1::DeleteSearchRequest* request,
                                                      google::protobuf::Empty* /*response*/) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Delete(rpc::ParseSearchName(request->name(), "name"),
                     [finish](const std::optional<Error>& error, bool) { finish(error); });
  });
}

grpc::ServerUnaryReactor* SearchService::PauseSearch(grpc::CallbackServerContext* context,
                                                     const v1::PauseSearchRequest* request,
                                                     v1::Search* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Pause(rpc::ParseSearchName(request->name(), "name"), AnswerWith(response, finish));
  });
}

grpc::ServerUnaryReactor* SearchService::ResumeSearch(grpc::CallbackServerContext* context,
                                                      const v1::ResumeSearchRequest* request,
                                                      v1::Search* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Resume(rpc::ParseSearchName(request->name(), "name"), AnswerWith(response, finish));
  });
}

grpc::ServerUnaryReactor* SearchService::CancelSearch(grpc::CallbackServerContext* context,
                                                      const v1::CancelSearchRequest* request,
                                                      v1::Search* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Cancel(rpc::ParseSearchName(request->name(), "name"), AnswerWith(response, finish));
  });
}

grpc::ServerWriteReactor<v1::SearchEvent>* SearchService::WatchSearch(
    grpc::CallbackServerContext* /*context*/, const v1::WatchSearchRequest* request) {
  return StartWatch(loop_, searches_, *request);
}

grpc::ServerUnaryReactor* SearchService::GetFront(grpc::CallbackServerContext* context,
                                                  const v1::GetFrontRequest* request,
                                                  v1::Front* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    searches_.Front(rpc::ParseSearchName(request->name(), "name"),
                    [=](const std::optional<Error>& error, const FrontView& view) {
                      if (!error) *response = ToProto(view);
                      finish(error);
                    });
  });
}

grpc::ServerUnaryReactor* SearchService::ListEvaluations(grpc::CallbackServerContext* context,
                                                         const v1::ListEvaluationsRequest* request,
                                                         v1::ListEvaluationsResponse* response) {
  return AnswerOnLoop(context, loop_, [=, this](const Finish& finish) {
    const std::string id = rpc::ParseSearchName(request->parent(), "parent");
    const int size = rpc::PageSize(request->page_size(), kEvaluationsPerPage);
    const std::string kind = "evaluations of " + id;
    std::pair<int, int> after{-1, -1};
    if (!request->page_token().empty()) {
      const Json position = rpc::DecodePageToken(kind, request->page_token());
      constexpr std::int64_t kMost = search::kMaxEvaluations;
      after = {static_cast<int>(std::clamp<std::int64_t>(Position(position, "round"), -1, kMost)),
               static_cast<int>(std::clamp<std::int64_t>(Position(position, "index"), -1, kMost))};
    }
    searches_.Trials(id, after, static_cast<std::size_t>(size) + 1,
                     [=](const std::optional<Error>& error, const std::vector<TrialView>& views) {
                       for (const TrialView& view : views) {
                         if (response->evaluations_size() == size) {
                           const TrialView& last = views[static_cast<std::size_t>(size) - 1];
                           response->set_next_page_token(rpc::EncodePageToken(
                               kind, {{"round", last.round}, {"index", last.index}}));
                           break;
                         }
                         *response->add_evaluations() = ToProto(view);
                       }
                       finish(error);
                     });
  });
}

}  // namespace oqat::server
