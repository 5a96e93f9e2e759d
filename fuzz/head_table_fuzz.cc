// SPDX-License-Identifier: Apache-2.0
// A table of head scores: any bytes give a table or an Error, and what was accepted can be ranked.
// The same bytes as a sparsity: a count of heads or an Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/head_table.h"
#include "kv/head_set.h"
#include "laconic/error.h"

namespace {

using namespace laconic;

void read_table(std::string_view text) {
  const HeadTable table = parse_head_table(text, "fuzz");
  if (table.scores.empty() || table.scores.size() != table.layers * table.kv_heads) std::abort();
  for (const double score : table.scores) {
    if (!std::isfinite(score)) std::abort();
  }
  const HeadScores scores{table.layers, table.kv_heads, table.scores};
  for (const std::string_view sparsity : {"0", "0.3", "0.5", "1"}) {
    const HeadSet chosen = choose_full_heads(scores, sparsity);
    if (chosen.count() != full_head_count(table.scores.size(), sparsity)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    read_table(text);
  } catch (const Error& failure) {
    if (failure.kind() != ErrorKind::kInput) std::abort();
  }
  try {
    if (full_head_count(256, text) > 256) std::abort();
  } catch (const Error& failure) {
    if (failure.kind() != ErrorKind::kUsage) std::abort();
  }
  return 0;
}
