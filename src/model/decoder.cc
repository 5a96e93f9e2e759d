// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <initializer_list>
#include <string>

#include "base/error.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "kernels/packed.h"
#include "kernels/quantized_rows.h"
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

}  // namespace

struct Decoder::Impl {
  Impl(const Weights& w, Threads& t)
      : weights(w), config(w.config), threads(t), prompt(t), attention(w.config, t) {}

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
  static bool any_packed(Projections wanted);
  static bool any_stored(Projections wanted);

  // All rows of `in`, [rows][cols].
  void project(Projections wanted, const BatchLayout& batch, const std::vector<float>& in);
  // The same of the normed residual stream.
  void project_normed(Projections wanted, const BatchLayout& batch,
                      const std::vector<float>& norm_weight);
  void project_packed(Projections wanted, std::size_t rows);  // of `quantized`
  void project_stored(const Projection& wanted, const BatchLayout& batch,
                      const std::vector<float>& in);
  void norm_rows(const std::vector<float>& weight, std::size_t rows);
  void add_bias(const std::vector<float>& bias, std::size_t rows, std::vector<float>& to);
  bool finite(const BatchLayout& batch) const;

  const Weights& weights;
  const ModelConfig& config;
  Threads& threads;
  PromptLinear prompt;
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

bool Decoder::Impl::any_packed(Projections wanted) {
  return std::any_of(wanted.begin(), wanted.end(), [](const auto& p) { return p.w.is_packed(); });
}

bool Decoder::Impl::any_stored(Projections wanted) {
  return std::any_of(wanted.begin(), wanted.end(), [](const auto& p) { return !p.w.is_packed(); });
}

void Decoder::Impl::project(Projections wanted, const BatchLayout& batch,
                            const std::vector<float>& in) {
  const std::size_t rows = batch.rows();
  if (any_packed(wanted)) {
    quantize_rows(threads, in.data(), rows, wanted.begin()->w.cols(), quantized);
    project_packed(wanted, rows);
  }
  for (const Projection& p : wanted) {
    if (!p.w.is_packed()) project_stored(p, batch, in);
  }
}

void Decoder::Impl::project_normed(Projections wanted, const BatchLayout& batch,
                                   const std::vector<float>& norm_weight) {
  const std::size_t rows = batch.rows();
  if (any_packed(wanted)) {
    rms_norm_quantize_rows(threads, x.data(), norm_weight.data(), config.norm_eps, rows,
                           config.hidden, quantized);
    project_packed(wanted, rows);
  }
  if (!any_stored(wanted)) return;
  norm_rows(norm_weight, rows);
  for (const Projection& p : wanted) {
    if (!p.w.is_packed()) project_stored(p, batch, normed);
  }
}

// One recipe for all rows, and one parallel region for all matrices.
void Decoder::Impl::project_packed(Projections wanted, std::size_t rows) {
  std::array<PackedProduct, 3> products;  // q, k, v
  assert(wanted.size() <= products.size());
  std::size_t count = 0;
  for (const Projection& p : wanted) {
    if (!p.w.is_packed()) continue;
    p.out.resize(rows * p.w.rows());
    products[count++] = {p.w.packed(), p.out.data(), p.w.rows()};
  }
  packed_products(threads, {products.data(), count}, quantized);
}

// Decode rows by the decode recipe, prompt rows by the prompt recipe.
void Decoder::Impl::project_stored(const Projection& wanted, const BatchLayout& batch,
                                   const std::vector<float>& in) {
  const WeightView& w = wanted.w.stored();
  const std::size_t rows = batch.rows();
  wanted.out.resize(rows * w.rows);
  if (batch.decode_rows > 0) {
    linear_decode(threads, w, in.data(), batch.decode_rows, wanted.out.data());
  }
  if (batch.decode_rows < rows) {
    prompt.run(w, in.data() + batch.decode_rows * w.cols, rows - batch.decode_rows,
               wanted.out.data() + batch.decode_rows * w.rows);
  }
}

void Decoder::Impl::norm_rows(const std::vector<float>& weight, std::size_t rows) {
  normed.resize(rows * config.hidden);
  threads.parallel_for(rows, 8, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t r = begin; r < end; ++r) {
      rms_norm(x.data() + r * config.hidden, weight.data(), config.norm_eps, config.hidden,
               normed.data() + r * config.hidden);
    }
  });
}

void Decoder::Impl::add_bias(const std::vector<float>& bias, std::size_t rows,
                             std::vector<float>& to) {
  if (bias.empty()) return;
  for (std::size_t r = 0; r < rows; ++r) {
    add_in_place(to.data() + r * bias.size(), bias.data(), bias.size());
  }
}

bool Decoder::Impl::finite(const BatchLayout& batch) const {
  return all_finite(x.data(), batch.rows() * config.hidden);
}

void Decoder::Impl::embed(const BatchLayout& batch) {
  x.resize(batch.rows() * config.hidden);
  for (std::size_t r = 0; r < batch.rows(); ++r) {
    weights.embedding.dequantize_row(static_cast<std::size_t>(batch.ids[r]),
                                     x.data() + r * config.hidden);
  }
  if (!finite(batch)) throw_not_finite("the token embedding");
}

void Decoder::Impl::layer(std::size_t index, const BatchLayout& batch) {
  const LayerWeights& w = weights.layers[index];
  const std::size_t rows = batch.rows();

  project_normed({{w.q, q}, {w.k, k}, {w.v, v}}, batch, w.attention_norm);
  add_bias(w.q_bias, rows, q);
  add_bias(w.k_bias, rows, k);
  add_bias(w.v_bias, rows, v);
  mixed.resize(q.size());
  attention.run(index, w, batch, q.data(), k.data(), v.data(), mixed.data());
  project({{w.o, delta}}, batch, mixed);
  add_bias(w.o_bias, rows, delta);
  add_in_place(x.data(), delta.data(), x.size());

  project_normed({{w.gate, gate}, {w.up, up}}, batch, w.mlp_norm);
  threads.parallel_for(rows, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    const std::size_t offset = begin * config.intermediate;
    swiglu(gate.data() + offset, up.data() + offset, (end - begin) * config.intermediate,
           gate.data() + offset);
  });
  project({{w.down, delta}}, batch, gate);
  add_in_place(x.data(), delta.data(), x.size());
  if (!finite(batch)) throw_not_finite(fmt::format("layer {}", index));
}

// The output head always takes the decode recipe: few rows are asked for, and one recipe means that
// a prompt's last row gives the same logits however the prompt was cut.
void Decoder::Impl::project_logits(const BatchLayout& batch) {
  const std::size_t rows = batch.logit_rows.size();
  normed.resize(rows * config.hidden);
  for (std::size_t i = 0; i < rows; ++i) {
    rms_norm(x.data() + batch.logit_rows[i] * config.hidden, weights.final_norm.data(),
             config.norm_eps, config.hidden, normed.data() + i * config.hidden);
  }
  logits.resize(rows * config.vocab);
  if (rows > 0 && weights.head.is_packed()) {
    quantize_rows(threads, normed.data(), rows, config.hidden, quantized);
    project_packed({{weights.head, logits}}, rows);
  } else if (rows > 0) {
    linear_decode(threads, weights.head.stored(), normed.data(), rows, logits.data());
  }
  if (!all_finite(logits.data(), logits.size())) {
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
  // A pass of decode rows is some hundred small jobs, which the team keeps together for. Prompt
  // rows of matrices that are not packed bring oneDNN, whose products would run on one thread
  // within the team's region.
  if (layout.decode_rows == layout.rows() || impl_->weights.all_packed) {
    impl_->threads.with_team([&] { impl_->pass(layout); });
  } else {
    impl_->pass(layout);
  }
  for (const Segment& segment : batch) segment.cache->advance(segment.ids.size());
  return impl_->logits;
}

}  // namespace laconic
