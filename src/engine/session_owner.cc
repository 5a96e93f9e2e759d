// SPDX-License-Identifier: Apache-2.0
#include "engine/session_owner.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kv/policy.h"

namespace laconic {
namespace {

using HeadLists = std::vector<std::vector<std::size_t>>;  // [layer] full heads, ascending

std::optional<HeadLists> full_heads(const SessionOwner& owner) {
  if (owner.heads == nullptr) return std::nullopt;
  HeadLists lists;
  for (std::size_t layer = 0; layer < owner.shape.layers; ++layer) {
    lists.push_back(owner.heads->full(layer));
  }
  return lists;
}

// Which heads are full is told by the heads, not by the file that ranked them.
std::map<std::string, std::string> options_of(const KvOptions& kv) {
  std::map<std::string, std::string> options = kv.to_map();
  for (const char* name : {"heads", "sparsity", "heads-threshold"}) options.erase(name);
  return options;
}

void require_model(const Json& header, const std::string& where, const SessionOwner& owner) {
  const auto model = json_required<std::string>(header, "model", where);
  if (model == owner.model) return;
  throw_input("{} is a session of another model: {} ({}), this is {} ({})", where,
              json_required<std::string>(header, "name", where), model, owner.name, owner.model);
}

void require_policy(const Json& header, const std::string& where, const SessionOwner& owner) {
  constexpr std::string_view kReason = "a session goes on with the options that it began with";
  const auto policy = json_required<std::string>(header, "policy", where);
  if (policy != owner.kv.policy_name()) {
    throw_usage("{} was written with --kv-policy {}, now it is {}; {}", where, policy,
                owner.kv.policy_name(), kReason);
  }
  // Both have the same names by now, unless versions differ.
  const auto then = json_required<std::map<std::string, std::string>>(header, "options", where);
  const auto now = options_of(owner.kv);
  for (const auto& [name, value] : now) {
    const auto found = then.find(name);
    const std::string before = found == then.end() ? "unknown" : found->second;
    if (before == value) continue;
    throw_usage("{} was written with --kv-{} {}, now it is {}; {}", where, name, before, value,
                kReason);
  }
  for (const auto& [name, value] : then) {
    if (now.count(name) != 0) continue;
    throw_usage("{} was written with --kv-{} {}, which has no effect now; {}", where, name, value,
                kReason);
  }
}

void require_heads(const Json& header, const std::string& where, const SessionOwner& owner) {
  const auto then = json_optional<HeadLists>(header, "full", where);
  const auto now = full_heads(owner);
  if (then.has_value() != now.has_value()) {
    throw_usage("{} was written {} --kv-heads; a session goes on as it began", where,
                then ? "with" : "without");
  }
  if (then == now) return;
  std::size_t layer = 0;
  while (layer < std::min(then->size(), now->size()) && (*then)[layer] == (*now)[layer]) ++layer;
  throw_usage("{} was written with other full heads, from layer {} on; give the same --kv-heads",
              where, layer);
}

}  // namespace

bool SessionOwner::sums_attention(std::size_t layer, std::size_t kv_head) const {
  return wants_attention(kv) && is_full(layer, kv_head);
}

Json owner_json(const SessionOwner& owner) {
  Json out = {{"model", owner.model},
              {"name", owner.name},
              {"policy", owner.kv.policy_name()},
              {"options", options_of(owner.kv)}};
  if (const auto full = full_heads(owner)) out["full"] = *full;
  return out;
}

void require_owner(const Json& header, const std::string& where, const SessionOwner& owner) {
  require_model(header, where, owner);
  require_heads(header, where, owner);
  require_policy(header, where, owner);
}

}  // namespace laconic
