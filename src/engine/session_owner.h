// SPDX-License-Identifier: Apache-2.0
// Whose a saved session is: of one model, one cache policy with its options, one set of full heads.
// Rows that others have left would answer for them.
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"
#include "kv/head_set.h"
#include "kv/sequence_cache.h"
#include "laconic/kv_options.h"

namespace laconic {

struct SessionOwner {
  std::string model;  // model_fingerprint()
  std::string name;   // the model's, for people
  KvShape shape;
  std::size_t vocab = 0;
  KvOptions kv;
  const HeadSet* heads = nullptr;  // those that stay full; null: all

  bool is_full(std::size_t layer, std::size_t kv_head) const {
    return heads == nullptr || heads->is_full(layer, kv_head);
  }
  // Whether the rows of a head come with the attention that they have received.
  bool sums_attention(std::size_t layer, std::size_t kv_head) const;
};

// "model", "name", "policy", "options" and, where heads differ, "full": the full heads per layer.
Json owner_json(const SessionOwner& owner);

// Error(kInput) when `header`, of the session `where`, tells of another model; Error(kUsage) when
// it tells of other cache options, with the first that differs.
void require_owner(const Json& header, const std::string& where, const SessionOwner& owner);

}  // namespace laconic
