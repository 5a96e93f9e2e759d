// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/checked.h"
#include "base/memory.h"
#include "cli/kv_flags.h"
#include "cli/values.h"
#include "kernels/attention.h"
#include "kv/demand.h"
#include "kv/schedule.h"
#include "kv/sequence_cache.h"

namespace laconic::cli {
namespace {

constexpr const char* kWhat = "the plan's size";

std::string size(std::size_t bytes) { return readable_bytes(static_cast<double>(bytes)); }

// Bytes of pages and blocks at their peak.
std::size_t allocated(const ModelConfig& config, const PlanRequest& request, std::size_t rows) {
  // Pages are never more than the full cache's: where those can be counted, so can these.
  page_bytes_for(config, request.kv.type, request.prompt + rows);
  const CacheDemand demand(config.kv_shape(), request.kv, request.heads);
  return checked_mul(request.sequences, demand.peak(request.prompt, rows), kWhat);
}

// Bytes of rows at their peak: when the prompt is read, or later.
std::size_t row_bytes_of_all(const ModelConfig& config, const PlanRequest& request,
                             const Plan& plan, std::size_t rows) {
  const std::size_t heads = config.layers * config.kv_heads;
  const std::size_t constant = heads - plan.full_heads;
  const std::size_t block = request.kv.head_sink + request.kv.head_recent;
  const std::size_t later = checked_add(checked_mul(plan.full_heads, plan.peak_rows, kWhat),
                                        constant * std::min(request.prompt + rows, block), kWhat);
  const std::size_t most = std::max(checked_mul(heads, request.prompt, kWhat), later);
  const std::size_t row = 2 * row_bytes(kv_dtype(request.kv.type), config.head_dim);
  return checked_mul(request.sequences, checked_mul(most, row, kWhat), kWhat);
}

// The last token of an answer is never read: it has no row.
std::size_t rows_of_answer(std::size_t tokens) { return tokens > 0 ? tokens - 1 : 0; }

// The largest answer that fits. Peak rows never shrink as an answer grows.
std::size_t longest_answer(const ModelConfig& config, const PlanRequest& request,
                           std::size_t limit) {
  std::size_t low = 0, high = config.context - request.prompt;
  while (low < high) {
    const std::size_t middle = high - (high - low) / 2;
    if (allocated(config, request, rows_of_answer(middle)) <= limit) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace

std::size_t peak_rows(const KvOptions& kv, std::size_t prompt, std::size_t generate) {
  return Schedule::peak_rows(kv, prompt, generate);
}

std::size_t page_bytes_for(const ModelConfig& config, KvType type, std::size_t rows) {
  check_row_type(kv_dtype(type), config.head_dim);
  const std::size_t pages = rows / kPageRows + (rows % kPageRows != 0 ? 1 : 0);
  const std::size_t heads = checked_mul(config.layers, config.kv_heads, kWhat);
  return checked_mul(checked_mul(pages, heads, kWhat), page_bytes(kv_dtype(type), config.head_dim),
                     kWhat);
}

Plan make_plan(const ModelConfig& config, const PlanRequest& request) {
  if (request.prompt > config.context || request.generate > config.context - request.prompt) {
    throw_usage("-p {} and -n {} are together longer than the model's context of {} tokens",
                request.prompt, request.generate, config.context);
  }
  require_budget(request.kv, request.prompt);
  assert(request.kv.heads.empty() || request.heads != nullptr);
  Plan plan;
  const std::size_t rows = rows_of_answer(request.generate);
  plan.peak_rows = peak_rows(request.kv, request.prompt, rows);
  plan.mean_rows = Schedule::mean_rows(request.kv, request.prompt, rows);
  plan.full_heads = request.heads ? request.heads->count() : config.layers * config.kv_heads;
  plan.peak_bytes = row_bytes_of_all(config, request, plan, rows);
  plan.peak_pages = allocated(config, request, rows);
  plan.full_pages = checked_mul(
      request.sequences, page_bytes_for(config, request.kv.type, request.prompt + rows), kWhat);
  plan.limit =
      request.kv_memory > 0 ? request.kv_memory : default_cache_memory(request.weight_bytes);
  plan.fits = plan.peak_pages <= plan.limit;
  plan.longest = longest_answer(config, request, plan.limit);
  return plan;
}

Json plan_json(const PlanRequest& request, const Plan& plan) {
  return {{"prompt", request.prompt},
          {"generate", request.generate},
          {"sequences", request.sequences},
          {"policy", request.kv.policy_name()},
          {"options", kv_options_json(request.kv)},
          {"peak_rows", plan.peak_rows},
          {"mean_rows", plan.mean_rows},
          {"full_heads", plan.full_heads},
          {"peak_bytes", plan.peak_bytes},
          {"peak_allocated_bytes", plan.peak_pages},
          {"full_allocated_bytes", plan.full_pages},
          {"weight_bytes", request.weight_bytes},
          {"total_bytes", request.weight_bytes + plan.peak_pages},
          {"limit_bytes", plan.limit},
          {"limit_from", request.kv_memory > 0 ? "kv-memory" : "free memory less weights"},
          {"fits", plan.fits},
          {"longest_answer", plan.longest}};
}

void print_plan(const PlanRequest& request, const Plan& plan) {
  fmt::print("plan             {} sequences of {} prompt and {} generated tokens, kv {}\n",
             request.sequences, request.prompt, request.generate, request.kv.policy_name());
  fmt::print("  rows per head  {} at the peak, {:.0f} on average\n", plan.peak_rows,
             plan.mean_rows);
  if (request.heads != nullptr) {
    fmt::print("  full heads     {}, the others hold {} rows\n", plan.full_heads,
               request.kv.head_sink + request.kv.head_recent);
  }
  fmt::print("  cache          {} in pages of {} rows ({} of rows)\n", size(plan.peak_pages),
             kPageRows, size(plan.peak_bytes));
  if (request.kv.evicts() || request.heads != nullptr) {
    fmt::print("  full cache     {}\n", size(plan.full_pages));
  }
  fmt::print("  weights        {}\n", size(request.weight_bytes));
  fmt::print("  total          {}\n", size(request.weight_bytes + plan.peak_pages));
  fmt::print("  fits           {}: {} for the cache{}\n", plan.fits ? "yes" : "no",
             size(plan.limit), request.kv_memory > 0 ? "" : " beside the weights");
  fmt::print("  longest answer {} tokens\n", plan.longest);
}

}  // namespace laconic::cli
