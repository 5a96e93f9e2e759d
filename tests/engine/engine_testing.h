// SPDX-License-Identifier: Apache-2.0
// What several engine tests share: models, expected values, session options.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "laconic/session.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic::test {

inline Json expected_of(const std::filesystem::path& directory) {
  return parse_json(read_file(directory / "expected.json"), "expected.json");
}

inline SessionOptions f32_rows(std::size_t threads = 2) {
  SessionOptions options;
  options.threads = threads;
  options.kv_memory = std::size_t{64} << 20;
  options.kv.type = KvType::kF32;
  return options;
}

inline KvOptions small_rpc(std::size_t interval, std::size_t window, double ratio,
                           KvGranularity granularity = KvGranularity::kLayer) {
  KvOptions kv;
  kv.policy = KvPolicy::kRpc;
  kv.type = KvType::kF32;
  kv.interval = interval;
  kv.window = window;
  kv.ratio = ratio;
  kv.granularity = granularity;
  return kv;
}

// The null of the same schedule.
inline KvOptions small_random(std::size_t interval, std::size_t window, double ratio,
                              KvGranularity granularity = KvGranularity::kLayer) {
  KvOptions kv = small_rpc(interval, window, ratio, granularity);
  kv.policy = KvPolicy::kRandom;
  return kv;
}

inline GenerateOptions greedy(std::int64_t tokens) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.ignore_eos = true;
  return options;
}

// A small random model that needs no shared data; made once per process.
const Model& tiny_model();
const Checkpoint& tiny_checkpoint();  // the same

}  // namespace laconic::test
