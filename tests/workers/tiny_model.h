#pragma once

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"

namespace oqat::workers {

/// Random weights of tiny-mbv3 with step sizes that fit them.
artifacts::Checkpoint TinyCheckpoint(int bits);

/// Twelve images of noise per split.
artifacts::EvaluationSet TinySet();

}  // namespace oqat::workers
