// SPDX-License-Identifier: Apache-2.0
#include "engine/generation_compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/threads.h"
#include "engine/model_impl.h"
#include "kernels/linear.h"

namespace laconic::test {
namespace {

std::uint32_t next(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

// y of `rows` rows of x through W, `chunk` rows at a time. [rows][w.rows]
std::vector<float> in_chunks(const WeightView& w, const std::vector<float>& x, std::size_t rows,
                             std::size_t chunk, std::size_t team) {
  Threads threads(team);
  PromptLinear linear(threads);
  std::vector<float> y(rows * w.rows);
  for (std::size_t done = 0; done < rows; done += chunk) {
    linear.run(w, x.data() + done * w.cols, std::min(chunk, rows - done), y.data() + done * w.rows);
  }
  return y;
}

bool keeps_bits(const WeightView& w) {
  constexpr std::size_t kRows = 70;
  std::vector<float> x(kRows * w.cols);
  std::uint32_t state = 1;
  for (float& value : x) value = static_cast<float>(next(state) % 2001) / 1000.0f - 1.0f;
  const std::vector<float> whole = in_chunks(w, x, kRows, kRows, 1);
  for (const std::size_t team : {1u, 2u, 3u}) {
    for (const std::size_t chunk : {1u, 7u, 64u}) {
      const std::vector<float> y = in_chunks(w, x, kRows, chunk, team);
      if (std::memcmp(y.data(), whole.data(), y.size() * sizeof(float)) != 0) return false;
    }
  }
  return true;
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

bool library_keeps_bits(const Model& model) {
  const LayerWeights& layer = model.impl().weights.layers.front();
  const Matrix* const matrices[] = {&layer.q,    &layer.k,  &layer.v,   &layer.o,
                                    &layer.gate, &layer.up, &layer.down};
  return std::all_of(std::begin(matrices), std::end(matrices),
                     [](const Matrix* w) { return w->is_packed() || keeps_bits(w->stored()); });
}

void trace_into(Session& session, KeepLists& lists) {
  session.set_kv_trace([&lists](SequenceId sequence, std::size_t step, std::size_t layer,
                                std::size_t kv_head, std::span<const std::int32_t> kept) {
    lists[{sequence, step, layer, kv_head}].assign(kept.begin(), kept.end());
  });
}

}  // namespace laconic::test
