// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oqat/v1/resources.pb.h"
#include "oqat/v1/search_service.pb.h"
#include "server/views.h"

// The coordinator's views as messages.
namespace oqat::server {

v1::Search ToProto(const SearchView& view);
v1::Evaluation ToProto(const TrialView& view);
v1::Front ToProto(const FrontView& view);
/// `search` is attached as of now.
v1::SearchEvent ToProto(const EventView& view, const SearchView& search);

}  // namespace oqat::server
