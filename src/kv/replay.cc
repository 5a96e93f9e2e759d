// SPDX-License-Identifier: Apache-2.0
#include "kv/replay.h"

#include <limits>
#include <numeric>

#include "base/checked.h"
#include "kernels/elementwise.h"
#include "kv/head_cache.h"
#include "kv/policy.h"
#include "kv/schedule.h"

namespace laconic {
namespace {

constexpr std::size_t kMaxRows = std::numeric_limits<std::int32_t>::max();

void require_array(const char* name, std::span<const float> values, std::size_t outer,
                   std::size_t rows, std::size_t head_dim) {
  const std::size_t needed = checked_mul(checked_mul(outer, rows, name), head_dim, name);
  if (needed == 0) {
    throw_input("{} [{}, {}, {}] is empty; every dimension must be at least 1", name, outer, rows,
                head_dim);
  }
  if (values.size() != needed) {
    throw_input("{} holds {} values, but its shape [{}, {}, {}] needs {}", name, values.size(),
                outer, rows, head_dim, needed);
  }
  if (!all_finite(values.data(), values.size())) {
    throw_input("{} holds a value that is not finite", name);
  }
}

void require_arrays(const ReplayInput& in) {
  require_array("keys", in.keys, in.kv_heads, in.rows, in.head_dim);
  require_array("queries", in.queries, in.heads, in.window, in.head_dim);
  if (in.heads % in.kv_heads != 0) {
    throw_input("queries has {} heads, which is no multiple of the {} KV heads of keys", in.heads,
                in.kv_heads);
  }
  if (in.rows > kMaxRows) throw_input("keys has {} rows; at most {} work", in.rows, kMaxRows);
}

// Candidates that stay, after the check that the rows suffice for them.
std::size_t require_rows(const ReplayInput& in, const KvOptions& options) {
  if (in.window != options.window) {
    throw_usage("queries holds {} queries per head, but --kv-window is {}; they must be equal",
                in.window, options.window);
  }
  if (in.prompt_rows > in.rows) {
    throw_usage("--prompt-rows {} is more than the {} rows of keys", in.prompt_rows, in.rows);
  }
  if (in.round > kMaxRows) {
    throw_usage("--round {} is outside its range, 0 to {}", in.round, kMaxRows);
  }
  const std::size_t keep = kept_candidates(options, in.prompt_rows, in.round);
  const std::size_t needed = (options.protect_prompt ? in.prompt_rows : 0) + keep + in.window;
  if (in.rows < needed) {
    throw_usage(
        "keys has {} rows, but round {} leaves {} ({} prompt, {} kept, {} window): give at least "
        "as "
        "many",
        in.rows, in.round, needed, in.prompt_rows,
        keep - (options.protect_prompt ? 0 : in.prompt_rows), in.window);
  }
  return keep;
}

// The last `count` of each head's queries: [heads][count][head_dim]
std::vector<float> newest(const ReplayInput& in, std::size_t count) {
  std::vector<float> queries;
  queries.reserve(in.heads * count * in.head_dim);
  for (std::size_t head = 0; head < in.heads; ++head) {
    const auto end =
        in.queries.begin() + static_cast<std::ptrdiff_t>((head + 1) * in.window * in.head_dim);
    queries.insert(queries.end(), end - static_cast<std::ptrdiff_t>(count * in.head_dim), end);
  }
  return queries;
}

}  // namespace

ReplayResult replay_policy(const ReplayInput& in, const KvOptions& options) {
  options.validate();
  require_arrays(in);
  if (options.policy == KvPolicy::kFull) {
    std::vector<std::int32_t> all(in.rows);
    std::iota(all.begin(), all.end(), 0);
    return {std::vector(in.kv_heads, all), {}, in.rows};
  }
  const std::size_t keep = require_rows(in, options);

  // Rows as a cache holds them; what stands in for V is never read.
  PagePool pool(page_bytes(DType::kF32, in.head_dim), std::numeric_limits<std::size_t>::max());
  std::vector<HeadCache> heads;
  heads.reserve(in.kv_heads);
  std::vector<HeadRowsView> views;
  const float* key = in.keys.data();
  for (std::size_t h = 0; h < in.kv_heads; ++h) {
    HeadCache& head = heads.emplace_back(pool, DType::kF32, in.head_dim);
    head.reserve(in.rows);
    for (std::size_t row = 0; row < in.rows; ++row, key += in.head_dim) {
      head.append(static_cast<std::int32_t>(row), key, key);
    }
    views.push_back(head.view());
  }

  const std::vector<float> queries = newest(in, queries_asked(options, in.round));
  Trigger trigger;
  trigger.heads = views;
  trigger.queries = queries;
  trigger.query_heads = in.heads;
  trigger.first_candidate = options.protect_prompt ? in.prompt_rows : 0;
  trigger.keep = keep;
  trigger.round = in.round;
  Selection selection = select_rows(trigger, options);
  return {std::move(selection.kept), std::move(selection.scores), trigger.first_candidate};
}

}  // namespace laconic
