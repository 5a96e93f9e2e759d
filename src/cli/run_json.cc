// SPDX-License-Identifier: Apache-2.0
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

#include "cli/kv_flags.h"
#include "cli/run_output.h"
#include "io/safetensors.h"

namespace laconic::cli {
namespace {

double per_second(std::size_t tokens, double ms) {
  return ms > 0 ? static_cast<double>(tokens) * 1000.0 / ms : 0.0;
}

// llama.cpp's names, so that its readers work; decode_steps and kv_ms are ours. The prompt's pass
// gives the first token, so that an answer takes one decode step less than it has tokens.
Json timings_json(const Generation& g) {
  const Timings& t = g.timings;
  return {{"prompt_n", t.prompt_n},
          {"prompt_ms", t.prompt_ms},
          {"prompt_per_second", per_second(t.prompt_n, t.prompt_ms)},
          {"predicted_n", g.ids.size()},
          {"decode_steps", t.decode_steps},
          {"predicted_ms", t.predicted_ms},
          {"predicted_per_second", per_second(t.decode_steps, t.predicted_ms)},
          {"kv_ms", t.kv_ms}};
}

}  // namespace

std::string dump_json(const Json& document, int indent) {
  return document.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json generation_json(const Generation& g, const KvOptions& kv) {
  return {{"prompt_ids", g.prompt_ids},
          {"ids", g.ids},
          {"text", g.text},
          {"reasoning", g.reasoning},
          {"answer", g.answer},
          {"finish_reason", finish_reason_name(g.finish_reason)},
          {"timings", timings_json(g)},
          {"kv",
           {{"policy", kv.policy_name()},
            {"options", kv_options_json(kv)},
            {"rows", g.kv.rows},
            {"bytes", g.kv.bytes},
            {"allocated_bytes", g.kv.allocated_bytes},
            {"peak_bytes", g.kv.peak_bytes},
            {"peak_allocated_bytes", g.kv.peak_allocated_bytes},
            {"peak_rows", g.kv.peak_rows},
            {"mean_bytes", g.kv.mean_bytes},
            {"compressions", g.kv.compressions}}}};
}

void write_logits(const std::filesystem::path& path, const Generation& generation) {
  assert(!generation.logits.empty());
  const std::size_t vocab = generation.logits.front().size();
  std::vector<float> rows;  // [1 + generated][vocab]
  rows.reserve(generation.logits.size() * vocab);
  for (const std::vector<float>& row : generation.logits) {
    rows.insert(rows.end(), row.begin(), row.end());
  }
  TensorView tensor;
  tensor.name = "logits";
  tensor.type = DType::kF32;
  tensor.shape = {generation.logits.size(), vocab};
  tensor.bytes = std::as_bytes(std::span<const float>(rows));
  write_safetensors(path, std::span<const TensorView>(&tensor, 1));
}

}  // namespace laconic::cli
