// SPDX-License-Identifier: Apache-2.0
// A table of one score per (layer, KV head), as RLKV (arXiv 2510.08525, adapter_weights.tsv) and
// DuoAttention (arXiv 2410.10819, full_attention_heads.tsv) publish them: a line per layer, a
// number per KV head, tabs between them, no header.
//
// Any finite numbers are taken: trained scores leave [0, 1] by a step of the optimiser. Refused,
// with file and line, are ragged lines, what is no number, and tables larger than any model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

namespace laconic {

struct HeadTable {
  std::size_t layers = 0, kv_heads = 0;
  std::vector<double> scores;  // [layers][kv_heads]
};

// `where` names the table in errors.
HeadTable parse_head_table(std::string_view text, std::string_view where);

// The file that a path means: itself, or the one table that lies in a directory. Error(kInput) for
// a directory with none, or with both.
std::filesystem::path head_table_file(const std::filesystem::path& path);

HeadTable load_head_table(const std::filesystem::path& path);

}  // namespace laconic
