// SPDX-License-Identifier: Apache-2.0
#include "model/rope_rows.h"

#include <cassert>
#include <cstring>

namespace laconic {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

enum class Order { kInterleave, kSeparate };

std::vector<std::byte> reorder(std::span<const std::byte> in, std::size_t heads,
                               std::size_t head_dim, Order order) {
  const std::size_t rows = heads * head_dim;
  assert(rows > 0 && in.size() % rows == 0);
  const std::size_t row = in.size() / rows, half = head_dim / 2;
  std::vector<std::byte> out(in.size());
  for (std::size_t head = 0; head < heads; ++head) {
    for (std::size_t j = 0; j < half; ++j) {
      for (std::size_t side = 0; side < 2; ++side) {
        const std::size_t apart = head * head_dim + side * half + j;
        const std::size_t together = head * head_dim + 2 * j + side;
        const std::size_t from = order == Order::kInterleave ? apart : together;
        const std::size_t to = order == Order::kInterleave ? together : apart;
        std::memcpy(out.data() + to * row, in.data() + from * row, row);
      }
    }
  }
  return out;
}

}  // namespace

std::size_t interleaved_heads(const ModelConfig& config, std::string_view hf_name) {
  if (config.architecture != Architecture::kLlama) return 0;
  if (contains(hf_name, ".self_attn.q_proj.")) return config.heads;
  if (contains(hf_name, ".self_attn.k_proj.")) return config.kv_heads;
  return 0;
}

std::vector<std::byte> interleave_rows(std::span<const std::byte> in, std::size_t heads,
                                       std::size_t head_dim) {
  return reorder(in, heads, head_dim, Order::kInterleave);
}

std::vector<std::byte> separate_rows(std::span<const std::byte> in, std::size_t heads,
                                     std::size_t head_dim) {
  return reorder(in, heads, head_dim, Order::kSeparate);
}

}  // namespace laconic
