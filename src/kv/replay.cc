// SPDX-License-Identifier: Apache-2.0
#include "kv/replay.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "kernels/elementwise.h"
#include "kv/h2o.h"
#include "kv/head_cache.h"
#include "kv/policy.h"
#include "kv/schedule.h"
#include "kv/tova.h"

namespace laconic {
namespace {

constexpr std::size_t kMaxRows = std::numeric_limits<std::int32_t>::max();

void require_array(const char* name, std::span<const float> values, std::size_t outer,
                   std::size_t middle, std::size_t inner) {
  const std::size_t needed = checked_mul(checked_mul(outer, middle, name), inner, name);
  if (needed == 0) {
    throw_input("{} [{}, {}, {}] is empty; every dimension must be at least 1", name, outer, middle,
                inner);
  }
  if (values.size() != needed) {
    throw_input("{} holds {} values, but its shape [{}, {}, {}] needs {}", name, values.size(),
                outer, middle, inner, needed);
  }
  if (!all_finite(values.data(), values.size())) {
    throw_input("{} holds a value that is not finite", name);
  }
}

bool has_queries(const ReplayInput& in) { return in.window != 0 || !in.queries.empty(); }
bool has_attention(const ReplayInput& in) { return in.steps != 0 || !in.attention.empty(); }

void require_arrays(const ReplayInput& in) {
  require_array("keys", in.keys, in.kv_heads, in.rows, in.head_dim);
  if (has_queries(in)) require_array("queries", in.queries, in.heads, in.window, in.head_dim);
  if (has_attention(in)) {
    require_array("attention", in.attention, in.heads, in.steps, in.rows);
    if (*std::min_element(in.attention.begin(), in.attention.end()) < 0) {
      throw_input("attention holds a value below 0; weights are at least 0");
    }
  }
  if (in.heads % in.kv_heads != 0) {
    throw_input("{} has {} heads, which is no multiple of the {} KV heads of keys",
                has_queries(in) ? "queries" : "attention", in.heads, in.kv_heads);
  }
  if (in.rows > kMaxRows) throw_input("keys has {} rows; at most {} work", in.rows, kMaxRows);
}

// What one layer's keys cannot show.
void require_options(const KvOptions& options) {
  if (!options.heads.empty()) {
    throw_usage("--kv-heads has no effect here: one layer's keys do not say which layer they are");
  }
  if (options.positions == KvPositions::kCache) {
    throw_usage(
        "--kv-positions cache has no effect here: it changes what queries see, not what stays");
  }
}

// That the policy has what it looks at.
void require_signals(const ReplayInput& in, const KvOptions& options) {
  const std::string policy = options.policy_name();
  const bool queries = has_queries(in), attention = has_attention(in);
  if (options.policy == KvPolicy::kTova) {
    if (queries != attention) return;
    throw_usage("--kv-policy tova takes either queries or attention; {} given",
                queries ? "both are" : "none is");
  }
  if (wants_attention(options) && !attention) {
    throw_usage("--kv-policy {} needs attention [heads, steps, rows]", policy);
  }
  if (queries_asked(options, in.round) == 0) return;
  if (!queries) throw_usage("--kv-policy {} needs queries [heads, window, head_dim]", policy);
  if (in.window != options.window) {
    throw_usage("queries holds {} queries per head, but --kv-window is {}; they must be equal",
                in.window, options.window);
  }
}

// Rows that stay, after the check that there are more than them, or as many by the ratio's law.
std::size_t require_rows(const ReplayInput& in, const KvOptions& options) {
  if (in.prompt_rows > in.rows) {
    throw_usage("--prompt-rows {} is more than the {} rows of keys", in.prompt_rows, in.rows);
  }
  if (in.round > kMaxRows) {
    throw_usage("--round {} is outside its range, 0 to {}", in.round, kMaxRows);
  }
  require_budget(options, in.prompt_rows);
  if (options.by_budget()) {
    if (in.rows <= options.budget) {
      throw_usage("keys has {} rows, which --kv-budget {} holds: nothing would go", in.rows,
                  options.budget);
    }
    return rows_that_stay(options, in.prompt_rows, in.round, in.rows);
  }
  const std::size_t stay = rows_that_stay(options, in.prompt_rows, in.round, kMaxRows);
  if (in.rows < stay) {
    throw_usage(
        "keys has {} rows, but round {} leaves {} ({} prompt, {} kept, {} window): give at least "
        "as many",
        in.rows, in.round, stay, in.prompt_rows, stay - in.prompt_rows - options.window,
        options.window);
  }
  return stay;
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

// What the rows of each KV head received over all steps: [kv_heads][rows]
std::vector<std::vector<float>> received(const ReplayInput& in, const KvOptions& options) {
  const std::size_t group = in.heads / in.kv_heads, stride = in.steps * in.rows;
  std::vector<std::vector<float>> sums(in.kv_heads);
  for (std::size_t h = 0; h < in.kv_heads; ++h) {
    for (std::size_t step = 0; step < in.steps; ++step) {
      add_received(sums[h], in.attention.data() + h * group * stride + step * in.rows, in.rows,
                   group, stride, options);
    }
  }
  return sums;
}

// The weights of the last step: [heads][rows]
std::vector<float> last_step(const ReplayInput& in) {
  std::vector<float> weights;
  weights.reserve(in.heads * in.rows);
  for (std::size_t head = 0; head < in.heads; ++head) {
    const float* step = in.attention.data() + ((head + 1) * in.steps - 1) * in.rows;
    weights.insert(weights.end(), step, step + in.rows);
  }
  return weights;
}

// Rows as a cache holds them; what stands in for V is never read.
struct ReplayCache {
  explicit ReplayCache(const ReplayInput& in)
      : pool(page_bytes(DType::kF32, in.head_dim), std::numeric_limits<std::size_t>::max()) {
    heads.reserve(in.kv_heads);
    const float* key = in.keys.data();
    for (std::size_t h = 0; h < in.kv_heads; ++h) {
      HeadCache& head = heads.emplace_back(pool, DType::kF32, in.head_dim);
      head.reserve(in.rows);
      for (std::size_t row = 0; row < in.rows; ++row, key += in.head_dim) {
        head.append(static_cast<std::int32_t>(row), key, key);
      }
      views.push_back(head.view());
    }
  }

  PagePool pool;
  std::vector<HeadCache> heads;
  std::vector<HeadRowsView> views;
};

}  // namespace

ReplayResult replay_policy(const ReplayInput& in, const KvOptions& options) {
  options.validate();
  require_options(options);
  require_arrays(in);
  if (options.policy == KvPolicy::kFull) {
    std::vector<std::int32_t> all(in.rows);
    std::iota(all.begin(), all.end(), 0);
    return {std::vector(in.kv_heads, all), {}, in.rows};
  }
  require_signals(in, options);

  Trigger trigger;
  trigger.stay = require_rows(in, options);
  const ReplayCache cache(in);
  trigger.heads = cache.views;
  std::vector<std::size_t> head_ids(in.kv_heads);
  std::iota(head_ids.begin(), head_ids.end(), std::size_t{0});
  trigger.head_ids = head_ids;
  trigger.query_heads = in.heads;
  trigger.protected_rows = protected_rows(options, in.prompt_rows);
  trigger.round = in.round;
  const Regions regions = regions_of(trigger, options);
  if (options.policy == KvPolicy::kTova && has_attention(in)) {
    Selection selection = tova_select_weights(last_step(in), trigger, regions, options);
    return {std::move(selection.kept), std::move(selection.scores), regions.first_candidate};
  }
  trigger.query_count = queries_asked(options, in.round);
  const std::vector<float> queries = newest(in, trigger.query_count);
  trigger.queries = queries;
  std::vector<std::vector<float>> sums;
  if (wants_attention(options)) sums = received(in, options);
  const std::vector<std::span<const float>> sum_spans(sums.begin(), sums.end());
  trigger.received = sum_spans;
  Selection selection = select_rows(trigger, options);
  return {std::move(selection.kept), std::move(selection.scores), regions.first_candidate};
}

}  // namespace laconic
