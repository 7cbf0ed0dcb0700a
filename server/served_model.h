// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "artifacts/model.h"

namespace oqat::server {

/// A model whose files the coordinator has, and what it knows of them.
struct ServedModel {
  artifacts::Model model;
  std::string content_id;
  std::int64_t create_time_ms = 0;
  std::int64_t calibration_images = 0;
  std::int64_t search_images = 0;
  std::int64_t test_images = 0;
};

}  // namespace oqat::server
