// SPDX-License-Identifier: Apache-2.0
#include "cli/plan.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "base/memory.h"
#include "cli/kv_flags.h"
#include "cli/values.h"
#include "kernels/attention.h"
#include "kv/schedule.h"

namespace laconic::cli {
namespace {

constexpr const char* kWhat = "the plan's size";

std::string size(std::size_t bytes) { return readable_bytes(static_cast<double>(bytes)); }

std::size_t pages_of_all(const ModelConfig& config, const PlanRequest& request, std::size_t rows) {
  return checked_mul(request.sequences, page_bytes_for(config, request.kv.type, rows), kWhat);
}

// The last token of an answer is never read: it has no row.
std::size_t rows_of_answer(std::size_t tokens) { return tokens > 0 ? tokens - 1 : 0; }

// The largest answer that fits. Peak rows never shrink as an answer grows.
std::size_t longest_answer(const ModelConfig& config, const PlanRequest& request,
                           std::size_t limit) {
  std::size_t low = 0, high = config.context - request.prompt;
  while (low < high) {
    const std::size_t middle = high - (high - low) / 2;
    const std::size_t rows = peak_rows(request.kv, request.prompt, rows_of_answer(middle));
    if (pages_of_all(config, request, rows) <= limit) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace

std::size_t peak_rows(const KvOptions& kv, std::size_t prompt, std::size_t generate) {
  if (kv.policy == KvPolicy::kFull) return prompt + generate;
  return RatioSchedule::peak_rows(kv, prompt, generate);
}

std::size_t page_bytes_for(const ModelConfig& config, KvType type, std::size_t rows) {
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
  Plan plan;
  const std::size_t rows = rows_of_answer(request.generate);
  plan.peak_rows = peak_rows(request.kv, request.prompt, rows);
  if (request.kv.policy != KvPolicy::kFull) {
    plan.mean_rows = RatioSchedule::mean_rows(request.kv, request.prompt, rows);
  } else {
    plan.mean_rows = static_cast<double>(request.prompt);
    if (rows > 0) plan.mean_rows += (static_cast<double>(rows) + 1) / 2;
  }
  const std::size_t token_bytes = config.kv_bytes_per_token(kv_dtype(request.kv.type));
  plan.peak_bytes =
      checked_mul(request.sequences, checked_mul(plan.peak_rows, token_bytes, kWhat), kWhat);
  plan.peak_pages = pages_of_all(config, request, plan.peak_rows);
  plan.full_pages = pages_of_all(config, request, request.prompt + rows);
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
  fmt::print("  cache          {} in pages of {} rows ({} of rows)\n", size(plan.peak_pages),
             kPageRows, size(plan.peak_bytes));
  if (request.kv.policy != KvPolicy::kFull) {
    fmt::print("  full cache     {}\n", size(plan.full_pages));
  }
  fmt::print("  weights        {}\n", size(request.weight_bytes));
  fmt::print("  total          {}\n", size(request.weight_bytes + plan.peak_pages));
  fmt::print("  fits           {}: {} for the cache{}\n", plan.fits ? "yes" : "no",
             size(plan.limit), request.kv_memory > 0 ? "" : " beside the weights");
  fmt::print("  longest answer {} tokens\n", plan.longest);
}

}  // namespace laconic::cli
