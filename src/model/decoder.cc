// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <initializer_list>
#include <string>

#include "base/error.h"
#include "kernels/elementwise.h"
#include "kernels/packed.h"
#include "kernels/quantized_rows.h"
#include "kernels/residual.h"
#include "model/attention_block.h"
#include "model/batch.h"

namespace laconic {
namespace {

[[noreturn]] void throw_not_finite(std::string_view where) {
  throw_input(
      "{} gave NaN or infinite values: the weights are damaged, or overflow f32 or the type of the "
      "cache rows",
      where);
}

[[noreturn]] void throw_not_finite(std::size_t layer) {
  throw_not_finite(fmt::format("layer {}", layer));
}

// Rows of the embedding that are worth a second thread: each is a walk through memory.
constexpr std::size_t kRowsToLookUp = 4;

// Rows of the final norm that are.
constexpr std::size_t kRowsToNorm = 4;

// Values of SwiGLU that are worth a second thread.
constexpr std::size_t kValuesToGate = 1024;

// Logits that are: 64 KiB, which the L2 cache gives in a microsecond or two.
constexpr std::size_t kLogitsToCheck = 16 * 1024;

// A norm of the residual stream, and the forms in which the products behind it read it.
struct Reading {
  Reading() = default;  // nobody reads it
  Reading(const std::vector<float>& weight, std::initializer_list<const Matrix*> products)
      : norm(weight.data()) {
    for (const Matrix* w : products) {
      (reads_quantized_rows(w->type()) ? quantized : plain) = true;
    }
  }

  const float* norm = nullptr;
  bool quantized = false, plain = false;
};

Reading before_attention(const LayerWeights& w) { return {w.attention_norm, {&w.q, &w.k, &w.v}}; }

Reading before_mlp(const LayerWeights& w) { return {w.mlp_norm, {&w.gate, &w.up}}; }

}  // namespace

struct Decoder::Impl {
  Impl(const Weights& w, Threads& t)
      : weights(w), config(w.config), threads(t), attention(w.config, t) {}

  void pass(const BatchLayout& batch);
  void embed(const BatchLayout& batch);
  void layer(std::size_t index, const BatchLayout& batch);
  void project_logits(const BatchLayout& batch);

  // Matrices that share their input, and where W x goes: [rows][w.rows()] each.
  struct Projection {
    const Matrix& w;
    std::vector<float>& out;
  };
  using Projections = std::initializer_list<Projection>;

  // Each matrix reads `quantized` or `in`, [rows][cols], by its type.
  void project(Projections wanted, std::size_t rows, const std::vector<float>& in);
  // x += added + bias (x as it is if null), and its norm into `quantized` and `normed` as read.
  // False if x is not finite.
  [[nodiscard]] bool next_stage(std::size_t rows, const float* added,
                                const std::vector<float>& bias, const Reading& next);
  Reading after_layer(std::size_t index) const;

  const Weights& weights;
  const ModelConfig& config;
  Threads& threads;
  AttentionBlock attention;
  BatchLayout layout;
  std::vector<float> x;               // [rows][hidden] residual stream
  std::vector<float> normed;          // [rows][hidden]
  QuantizedRows quantized;            // [rows][cols] of the products at hand
  std::vector<float> q, k, v, mixed;  // [rows][heads or kv_heads][head_dim]
  std::vector<float> gate, up;        // [rows][intermediate]
  std::vector<float> delta;           // [rows][hidden]
  std::vector<float> logits;          // [logit rows][vocab]
};

// One parallel region for all matrices that read the same form.
void Decoder::Impl::project(Projections wanted, std::size_t rows, const std::vector<float>& in) {
  std::array<PackedProduct, 3> products;  // q, k, v
  assert(wanted.size() <= products.size());
  for (const bool reads_quantized : {true, false}) {
    std::size_t count = 0;
    for (const Projection& p : wanted) {
      if (reads_quantized_rows(p.w.type()) != reads_quantized) continue;
      p.out.resize(rows * p.w.rows());
      products[count++] = {p.w.packed(), p.out.data(), p.w.rows()};
    }
    if (count == 0) continue;
    if (reads_quantized) {
      packed_products(threads, {products.data(), count}, quantized);
    } else {
      packed_products(threads, {products.data(), count}, in.data(), rows);
    }
  }
}

bool Decoder::Impl::next_stage(std::size_t rows, const float* added, const std::vector<float>& bias,
                               const Reading& next) {
  if (next.plain) normed.resize(rows * config.hidden);
  return run_stage(threads, {.x = x.data(),
                             .n = rows,
                             .cols = config.hidden,
                             .delta = added,
                             .bias = bias.empty() ? nullptr : bias.data(),
                             .norm = next.norm,
                             .eps = config.norm_eps,
                             .quantized = next.quantized ? &quantized : nullptr,
                             .normed = next.plain ? normed.data() : nullptr});
}

// The final norm is another matter: it is taken of few rows.
Reading Decoder::Impl::after_layer(std::size_t index) const {
  if (index + 1 == config.layers) return {};
  return before_attention(weights.layers[index + 1]);
}

void Decoder::Impl::embed(const BatchLayout& batch) {
  const std::size_t rows = batch.rows();
  x.resize(rows * config.hidden);
  threads.parallel_for(rows, kRowsToLookUp, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t r = begin; r < end; ++r) {
      weights.embedding.dequantize_row(static_cast<std::size_t>(batch.ids[r]),
                                       x.data() + r * config.hidden);
    }
  });
  if (!next_stage(rows, nullptr, {}, before_attention(weights.layers[0]))) {
    throw_not_finite("the token embedding");
  }
}

void Decoder::Impl::layer(std::size_t index, const BatchLayout& batch) {
  const LayerWeights& w = weights.layers[index];
  const std::size_t rows = batch.rows();

  project({{w.q, q}, {w.k, k}, {w.v, v}}, rows, normed);
  mixed.resize(q.size());
  attention.run(index, w, batch, q.data(), k.data(), v.data(), mixed.data());
  if (reads_quantized_rows(w.o.type())) {
    quantize_rows(threads, mixed.data(), rows, w.o.cols(), quantized);
  }
  project({{w.o, delta}}, rows, mixed);
  if (!next_stage(rows, delta.data(), w.o_bias, before_mlp(w))) throw_not_finite(index);

  project({{w.gate, gate}, {w.up, up}}, rows, normed);
  if (reads_quantized_rows(w.down.type())) {
    swiglu_quantize_rows(threads, gate.data(), up.data(), rows, w.down.cols(), quantized);
  } else {
    threads.parallel_for(
        gate.size(), kValuesToGate, [&](std::size_t begin, std::size_t end, std::size_t) {
          swiglu(gate.data() + begin, up.data() + begin, end - begin, gate.data() + begin);
        });
  }
  project({{w.down, delta}}, rows, gate);
  if (!next_stage(rows, delta.data(), {}, after_layer(index))) throw_not_finite(index);
}

void Decoder::Impl::project_logits(const BatchLayout& batch) {
  const std::size_t rows = batch.logit_rows.size();
  logits.resize(rows * config.vocab);
  if (rows == 0) return;
  const bool reads_quantized = reads_quantized_rows(weights.head.type());
  if (reads_quantized) {
    quantized.resize(rows, config.hidden);
  } else {
    normed.resize(rows * config.hidden);
  }
  threads.parallel_for(rows, kRowsToNorm, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) {
      const float* row = x.data() + batch.logit_rows[i] * config.hidden;
      const float* norm = weights.final_norm.data();
      if (reads_quantized) {
        rms_norm_quantize_row(row, norm, config.norm_eps, quantized, i);
      } else {
        rms_norm(row, norm, config.norm_eps, config.hidden, normed.data() + i * config.hidden);
      }
    }
  });
  project({{weights.head, logits}}, rows, normed);
  std::atomic<bool> finite = true;
  threads.parallel_for(logits.size(), kLogitsToCheck,
                       [&](std::size_t begin, std::size_t end, std::size_t) {
                         if (all_finite(logits.data() + begin, end - begin)) return;
                         finite.store(false, std::memory_order_relaxed);
                       });
  if (!finite.load(std::memory_order_relaxed)) {
    throw_input(
        "the output head gave NaN or infinite logits: the weights are damaged or overflow f32");
  }
}

void Decoder::Impl::pass(const BatchLayout& batch) {
  attention.set_positions(batch.positions);
  embed(batch);
  for (std::size_t i = 0; i < config.layers; ++i) layer(i, batch);
  project_logits(batch);
}

Decoder::Decoder(const Weights& weights, Threads& threads)
    : impl_(std::make_unique<Impl>(weights, threads)) {}
Decoder::~Decoder() = default;

std::span<const float> Decoder::forward(std::span<const Segment> batch) {
  BatchLayout& layout = impl_->layout;
  layout.place(batch);
  // A pass is some hundred small jobs, which the team keeps together for.
  impl_->threads.with_team([&] { impl_->pass(layout); });
  for (const Segment& segment : batch) segment.cache->advance(segment.ids.size());
  return impl_->logits;
}

}  // namespace laconic
