// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"
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

  // y = W x for all rows: decode rows by the decode recipe, prompt rows by the prompt recipe.
  void linear(const WeightView& w, const BatchLayout& batch, const std::vector<float>& in,
              std::vector<float>& out);
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
  std::vector<float> q, k, v, mixed;  // [rows][heads or kv_heads][head_dim]
  std::vector<float> gate, up;        // [rows][intermediate]
  std::vector<float> delta;           // [rows][hidden]
  std::vector<float> logits;          // [logit rows][vocab]
};

void Decoder::Impl::linear(const WeightView& w, const BatchLayout& batch,
                           const std::vector<float>& in, std::vector<float>& out) {
  const std::size_t rows = batch.rows();
  out.resize(rows * w.rows);
  if (batch.decode_rows > 0) {
    linear_decode(threads, w, in.data(), batch.decode_rows, out.data());
  }
  if (batch.decode_rows < rows) {
    prompt.run(w, in.data() + batch.decode_rows * w.cols, rows - batch.decode_rows,
               out.data() + batch.decode_rows * w.rows);
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
    dequantize_row(weights.embedding, static_cast<std::size_t>(batch.ids[r]),
                   x.data() + r * config.hidden);
  }
  if (!finite(batch)) throw_not_finite("the token embedding");
}

void Decoder::Impl::layer(std::size_t index, const BatchLayout& batch) {
  const LayerWeights& w = weights.layers[index];
  const std::size_t rows = batch.rows();

  norm_rows(w.attention_norm, rows);
  linear(w.q, batch, normed, q);
  linear(w.k, batch, normed, k);
  linear(w.v, batch, normed, v);
  add_bias(w.q_bias, rows, q);
  add_bias(w.k_bias, rows, k);
  add_bias(w.v_bias, rows, v);
  mixed.resize(q.size());
  attention.run(index, w, batch, q.data(), k.data(), v.data(), mixed.data());
  linear(w.o, batch, mixed, delta);
  add_bias(w.o_bias, rows, delta);
  add_in_place(x.data(), delta.data(), x.size());

  norm_rows(w.mlp_norm, rows);
  linear(w.gate, batch, normed, gate);
  linear(w.up, batch, normed, up);
  threads.parallel_for(rows, 4, [&](std::size_t begin, std::size_t end, std::size_t) {
    const std::size_t offset = begin * config.intermediate;
    swiglu(gate.data() + offset, up.data() + offset, (end - begin) * config.intermediate,
           gate.data() + offset);
  });
  linear(w.down, batch, gate, delta);
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
  if (rows > 0) linear_decode(threads, weights.head, normed.data(), rows, logits.data());
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
  // rows bring oneDNN, whose products would run on one thread within the team's region.
  if (layout.decode_rows == layout.rows()) {
    impl_->threads.with_team([&] { impl_->pass(layout); });
  } else {
    impl_->pass(layout);
  }
  for (const Segment& segment : batch) segment.cache->advance(segment.ids.size());
  return impl_->logits;
}

}  // namespace laconic
