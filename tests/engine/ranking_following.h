// SPDX-License-Identifier: Apache-2.0
// Whole generations with a policy against the float64 decoder, which loses the rows that the engine
// lost, after it was asked whether those were the ones to lose. So a near tie that rounding decides
// the other way is no difference, and a wrong choice is one at once.
#pragma once

#include <functional>
#include <vector>

#include "engine/float64_compare.h"
#include "engine/policy_laws.h"

namespace laconic::test {

// What one KV head kept of what the reference holds.
struct Compression {
  const Float64Decoder& plain;
  const KvOptions& kv;
  std::size_t layer, kv_head;
  std::size_t prompt;               // rows when the generation began
  std::vector<std::size_t> chosen;  // rows that stayed, by their place among those held, ascending

  const std::vector<Float64Decoder::Row>& held() const { return plain.held(layer, kv_head); }
  std::size_t stay() const { return chosen.size(); }
  // The first rows that must stay: the prompt's, or the sinks.
  std::size_t first() const {
    return std::min(std::max(kv.protect_prompt ? prompt : 0, kv.sink), stay());
  }
  // Whether rows [from, to) of those held stayed, as the list's `begin`-th and following ones.
  bool stayed(std::size_t from, std::size_t to, std::size_t begin) const;
  // The list's [begin, end) as places behind row first(): what a ranking chose.
  std::vector<std::int32_t> ranked(std::size_t begin, std::size_t end) const;
};

// Runs the tiny model over random ids and checks every logit, every compression of the schedule
// and, by `check`, every choice. `plain` is set up by the caller.
void follow(const KvOptions& kv, std::size_t prompt, std::size_t tokens, Float64Decoder& plain,
            const std::function<void(const Compression&)>& check);

}  // namespace laconic::test
