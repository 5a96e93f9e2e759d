// SPDX-License-Identifier: Apache-2.0
// Memory before it is spent: rows, pages and bytes that a policy needs at its peak, by its law.
#pragma once

#include <cstddef>

#include "base/json.h"
#include "kv/head_set.h"
#include "laconic/kv_options.h"
#include "model/config.h"

namespace laconic::cli {

struct PlanRequest {
  std::size_t prompt = 512, generate = 32768, sequences = 1;
  KvOptions kv;
  const HeadSet* heads = nullptr;  // with kv.heads: those that stay full; null: all of them
  std::size_t weight_bytes = 0;
  std::size_t kv_memory = 0;  // limit on pages; 0: what the machine has free beside the weights
};

struct Plan {
  std::size_t peak_rows = 0;   // of one full KV head
  double mean_rows = 0;        // of one full KV head, over the steps of the answer
  std::size_t full_heads = 0;  // of all layers
  std::size_t peak_bytes = 0;  // of the rows of all sequences
  std::size_t peak_pages = 0;  // bytes of the pages and blocks that hold them
  std::size_t full_pages = 0;  // the same for the full cache
  std::size_t limit = 0;       // bytes that pages may take
  bool fits = false;
  std::size_t longest = 0;  // most generated tokens that fit, within the context; 0: none
};

// Rows of one full KV head at their peak, and pages for so many in all heads of one sequence.
std::size_t peak_rows(const KvOptions& kv, std::size_t prompt, std::size_t generate);
std::size_t page_bytes_for(const ModelConfig& config, KvType type, std::size_t rows);

// Error(kUsage) when prompt and answer are longer than the model's context, or the budget cannot
// hold the prompt that it must keep.
Plan make_plan(const ModelConfig& config, const PlanRequest& request);

Json plan_json(const PlanRequest& request, const Plan& plan);
void print_plan(const PlanRequest& request, const Plan& plan);

}  // namespace laconic::cli
