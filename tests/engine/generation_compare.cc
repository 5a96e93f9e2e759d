// SPDX-License-Identifier: Apache-2.0
#include "engine/generation_compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace laconic::test {
namespace {

std::uint32_t next(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

}  // namespace

std::vector<std::int32_t> random_ids(std::size_t count, std::uint32_t seed, std::size_t vocab) {
  std::vector<std::int32_t> ids(count);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(next(seed) % vocab);
  return ids;
}

GenerateOptions forced(std::size_t count, std::uint32_t seed, std::size_t vocab) {
  GenerateOptions options;
  options.force_ids = random_ids(count, seed, vocab);
  options.keep_logits = true;
  return options;
}

double largest_difference(const Generation& a, const Generation& b) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (a.logits.size() != b.logits.size() || a.logits.empty()) return kInfinite;
  double largest = 0;
  for (std::size_t step = 0; step < a.logits.size(); ++step) {
    if (a.logits[step].size() != b.logits[step].size()) return kInfinite;
    for (std::size_t i = 0; i < a.logits[step].size(); ++i) {
      const double x = static_cast<double>(a.logits[step][i]);
      largest = std::max(largest, std::abs(x - static_cast<double>(b.logits[step][i])));
    }
  }
  return largest;
}

double largest_logit(const Generation& a) {
  double largest = 0;
  for (const auto& step : a.logits) {
    for (const float logit : step)
      largest = std::max(largest, std::abs(static_cast<double>(logit)));
  }
  return largest;
}

double relative_change(const Generation& got, const Generation& exact) {
  double error = 0, size = 0;
  for (std::size_t step = 0; step < exact.logits.size(); ++step) {
    for (std::size_t i = 0; i < exact.logits[step].size(); ++i) {
      const double x = static_cast<double>(exact.logits[step][i]);
      error += std::pow(static_cast<double>(got.logits[step][i]) - x, 2);
      size += x * x;
    }
  }
  return std::sqrt(error / size);
}

void trace_into(Session& session, KeepLists& lists) {
  session.set_kv_trace([&lists](SequenceId sequence, std::size_t step, std::size_t layer,
                                std::size_t kv_head, std::span<const std::int32_t> kept) {
    lists[{sequence, step, layer, kv_head}].assign(kept.begin(), kept.end());
  });
}

}  // namespace laconic::test
