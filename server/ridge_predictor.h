// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "search/predictor.h"
#include "space/search_space.h"

namespace oqat::server {

/// predictor::RidgeEnsemble as searches want it. The two rooms are siblings and do not know each
/// other; the coordinator, above both, joins them.
search::PredictorFactory RidgePredictorFactory(const space::SearchSpace& space);

}  // namespace oqat::server
