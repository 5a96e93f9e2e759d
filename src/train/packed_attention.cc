// SPDX-License-Identifier: Apache-2.0
#include "train/packed_attention.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <new>
#include <vector>

#include "train/attention_unit.h"

namespace laconic::train {
namespace {

// A unit's keys are unpacked once for all its queries: 512 of them make that cost vanish (256 were
// 3% slower on texts of 300 to 1500 tokens), and a long text still has several units to share.
constexpr std::size_t kForwardQueries = 512;

struct FreeAligned {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

std::unique_ptr<float[], FreeAligned> aligned_floats(std::size_t n) {
  return std::unique_ptr<float[], FreeAligned>(
      static_cast<float*>(::operator new[](n * sizeof(float), std::align_val_t{64})));
}

// Pairs of query and key, what a unit's time is made of.
std::size_t cost(const AttentionUnit& unit) {
  return (unit.end - unit.begin) * (unit.begin + unit.end);
}

// Costly units first: what is left for the end is small, so the threads end together.
std::vector<AttentionUnit> units_of(const AttentionShape& shape,
                                    std::span<const std::int64_t> starts, std::size_t queries) {
  std::vector<AttentionUnit> units;
  AttentionUnit unit;
  unit.tokens = static_cast<std::size_t>(starts.back());
  for (std::size_t text = 0; text + 1 < starts.size(); ++text) {
    assert(starts[text] <= starts[text + 1]);
    unit.first_token = static_cast<std::size_t>(starts[text]);
    unit.length = static_cast<std::size_t>(starts[text + 1]) - unit.first_token;
    for (unit.begin = 0; unit.begin < unit.length; unit.begin = unit.end) {
      unit.end = std::min(unit.begin + queries, unit.length);
      for (unit.kv_head = 0; unit.kv_head < shape.kv_heads; ++unit.kv_head) units.push_back(unit);
    }
  }
  std::stable_sort(units.begin(), units.end(), [](const AttentionUnit& a, const AttentionUnit& b) {
    return cost(a) > cost(b);
  });
  return units;
}

std::size_t longest_end(const std::vector<AttentionUnit>& units) {
  std::size_t longest = 0;
  for (const AttentionUnit& unit : units) longest = std::max(longest, unit.end);
  return longest;
}

// Units write disjoint rows, so neither their order nor the number of threads shows.
template <typename Body>
void for_each_unit(const std::vector<AttentionUnit>& units, std::size_t scratch_floats,
                   const Body& body) {
#pragma omp parallel
  {
    const auto scratch = aligned_floats(scratch_floats);
#pragma omp for schedule(dynamic, 1)
    for (std::size_t i = 0; i < units.size(); ++i) body(units[i], scratch.get());
  }
}

}  // namespace

// Every piece is rounded up to 16 floats, a row to at most 15 more.
std::size_t attention_forward_scratch(std::size_t length, std::size_t head_dim) {
  const std::size_t row = head_dim + 15;
  return (2 * length + 3 * kMostQueryLanes) * row + kKeyBlock * kMostQueryLanes + 6 * 16;
}

std::size_t attention_backward_scratch(std::size_t length, std::size_t head_dim) {
  const std::size_t row = head_dim + 15;
  return (4 * length + 5 * kMostQueryLanes) * row + 2 * kKeyBlock * kMostQueryLanes + 11 * 16;
}

template <typename T>
void packed_attention_forward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                              const T* q, const T* k, const T* v, T* out, float* lse,
                              SimdTarget target) {
  assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && !starts.empty());
  const std::vector<AttentionUnit> units = units_of(shape, starts, kForwardQueries);
  const std::size_t scratch = attention_forward_scratch(longest_end(units), shape.head_dim);
  on_simd_target(target, [&](auto chosen) {
    for_each_unit(units, scratch, [&](const AttentionUnit& unit, float* memory) {
      attention_forward_unit<decltype(chosen)::value>(shape, unit, q, k, v, out, lse, memory);
    });
  });
}

template <typename T>
void packed_attention_backward(const AttentionShape& shape, std::span<const std::int64_t> starts,
                               const T* q, const T* k, const T* v, const T* out, const float* lse,
                               const T* d_out, T* d_q, T* d_k, T* d_v, SimdTarget target) {
  assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && !starts.empty());
  const auto whole = static_cast<std::size_t>(starts.back());
  const std::vector<AttentionUnit> units = units_of(shape, starts, std::max<std::size_t>(whole, 1));
  const std::size_t scratch = attention_backward_scratch(longest_end(units), shape.head_dim);
  on_simd_target(target, [&](auto chosen) {
    for_each_unit(units, scratch, [&](const AttentionUnit& unit, float* memory) {
      attention_backward_unit<decltype(chosen)::value>(shape, unit, q, k, v, out, lse, d_out, d_q,
                                                       d_k, d_v, memory);
    });
  });
}

template void packed_attention_forward(const AttentionShape&, std::span<const std::int64_t>,
                                       const float*, const float*, const float*, float*, float*,
                                       SimdTarget);
template void packed_attention_forward(const AttentionShape&, std::span<const std::int64_t>,
                                       const std::uint16_t*, const std::uint16_t*,
                                       const std::uint16_t*, std::uint16_t*, float*, SimdTarget);
template void packed_attention_backward(const AttentionShape&, std::span<const std::int64_t>,
                                        const float*, const float*, const float*, const float*,
                                        const float*, const float*, float*, float*, float*,
                                        SimdTarget);
template void packed_attention_backward(const AttentionShape&, std::span<const std::int64_t>,
                                        const std::uint16_t*, const std::uint16_t*,
                                        const std::uint16_t*, const std::uint16_t*, const float*,
                                        const std::uint16_t*, std::uint16_t*, std::uint16_t*,
                                        std::uint16_t*, SimdTarget);

}  // namespace laconic::train
