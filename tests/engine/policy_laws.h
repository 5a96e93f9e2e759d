// SPDX-License-Identifier: Apache-2.0
// Every policy on the common schedules, and what the schedule alone says of a generation.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine_testing.h"
#include "kv/demand.h"
#include "kv/schedule.h"

namespace laconic::test {

struct Law {
  std::string name;
  KvOptions kv;
};

inline std::vector<KvPolicy> evicting_policies() {
  return {KvPolicy::kRpc,     KvPolicy::kRandom, KvPolicy::kStreaming,
          KvPolicy::kRecency, KvPolicy::kKnorm,  KvPolicy::kH2o,
          KvPolicy::kTova,    KvPolicy::kSnapKv, KvPolicy::kRkv};
}

inline constexpr std::size_t kInterval = 12, kWindow = 4;

// A policy as published, with f32 rows, the interval and the window that all share.
inline KvOptions of_policy(KvPolicy policy, bool protect_prompt = true) {
  KvOptions kv = KvOptions::of(policy);
  kv.type = KvType::kF32;
  kv.interval = kInterval;
  kv.window = kWindow;
  kv.protect_prompt = protect_prompt;
  return kv;
}

inline KvOptions by_ratio(KvPolicy policy, bool protect_prompt = true) {
  KvOptions kv = of_policy(policy, protect_prompt);
  kv.ratio = 3;
  return kv;
}

inline KvOptions by_budget(KvPolicy policy, std::size_t budget, bool protect_prompt = true) {
  KvOptions kv = of_policy(policy, protect_prompt);
  kv.budget = budget;
  return kv;
}

// Both laws, with the prompt protected and not. The budgets hold prompts of 50 where they must.
inline std::vector<Law> laws_of(KvPolicy policy) {
  std::vector<Law> laws{{"ratio, protected", by_ratio(policy)},
                        {"ratio, unprotected", by_ratio(policy, false)},
                        {"budget, protected", by_budget(policy, 56)},
                        {"budget, unprotected", by_budget(policy, 32, false)}};
  if (policy == KvPolicy::kStreaming) {
    laws.push_back({"by cache index", by_ratio(policy, false)});
    laws.back().kv.positions = KvPositions::kCache;
  }
  return laws;
}

// (generated tokens, rows that stay) of every compression; 0 tokens: at the prompt's end.
using Compressions = std::vector<std::pair<std::size_t, std::size_t>>;

inline Compressions compressions_of(const KvOptions& kv, std::size_t prompt,
                                    std::size_t generated) {
  Schedule schedule(kv);
  Compressions out;
  std::size_t held = prompt;
  const auto note = [&](std::optional<std::size_t> stay) {
    if (!stay) return;
    out.emplace_back(schedule.generated(), *stay);
    held = *stay;
    schedule.compressed();
  };
  note(schedule.begin(prompt));
  while (schedule.generated() < generated) note(schedule.token_appended(++held));
  return out;
}

inline KvShape tiny_shape() {
  const ModelInfo& info = tiny_model().info();
  return {info.layers, info.heads, info.kv_heads, info.head_dim};
}

inline constexpr std::size_t kTinyRowBytes = 2 * 32 * sizeof(float);  // K and V of one f32 row

inline SessionOptions session_of(const KvOptions& kv, std::size_t threads = 1) {
  SessionOptions options = f32_rows(threads);
  options.kv = kv;
  return options;
}

inline void finish(Session& session) {
  while (session.step()) {
  }
}

}  // namespace laconic::test
