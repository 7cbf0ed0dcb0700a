// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oqat/v1/search_service.grpc.pb.h"
#include "server/loop.h"
#include "server/search_manager.h"

namespace oqat::server {

/// SearchService over a SearchManager. Checks names and tokens; everything else is the manager's.
class SearchService : public v1::SearchService::CallbackService {
 public:
  SearchService(Loop& loop, SearchManager& searches) : loop_(loop), searches_(searches) {}

  grpc::ServerUnaryReactor* CreateSearch(grpc::CallbackServerContext* context,
                                         const v1::CreateSearchRequest* request,
                                         v1::Search* response) override;
  grpc::ServerUnaryReactor* GetSearch(grpc::CallbackServerContext* context,
                                      const v1::GetSearchRequest* request,
                                      v1::Search* response) override;
  grpc::ServerUnaryReactor* ListSearches(grpc::CallbackServerContext* context,
                                         const v1::ListSearchesRequest* request,
                                         v1::ListSearchesResponse* response) override;
  grpc::ServerUnaryReactor* DeleteSearch(grpc::CallbackServerContext* context,
                                         const v1::DeleteSearchRequest* request,
                                         google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* PauseSearch(grpc::CallbackServerContext* context,
                                        const v1::PauseSearchRequest* request,
                                        v1::Search* response) override;
  grpc::ServerUnaryReactor* ResumeSearch(grpc::CallbackServerContext* context,
                                         const v1::ResumeSearchRequest* request,
                                         v1::Search* response) override;
  grpc::ServerUnaryReactor* CancelSearch(grpc::CallbackServerContext* context,
                                         const v1::CancelSearchRequest* request,
                                         v1::Search* response) override;
  grpc::ServerWriteReactor<v1::SearchEvent>* WatchSearch(
      grpc::CallbackServerContext* context, const v1::WatchSearchRequest* request) override;
  grpc::ServerUnaryReactor* GetFront(grpc::CallbackServerContext* context,
                                     const v1::GetFrontRequest* request,
                                     v1::Front* response) override;
  grpc::ServerUnaryReactor* ListEvaluations(grpc::CallbackServerContext* context,
                                            const v1::ListEvaluationsRequest* request,
                                            v1::ListEvaluationsResponse* response) override;

 private:
  Loop& loop_;
  SearchManager& searches_;
};

}  // namespace oqat::server
