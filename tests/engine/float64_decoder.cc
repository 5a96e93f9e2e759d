// SPDX-License-Identifier: Apache-2.0
#include "engine/float64_decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/half.h"

namespace laconic::test {
namespace {

double element(const TensorView& t, std::size_t i) {
  const std::byte* at = t.bytes.data() + i * block_bytes(t.type);
  if (t.type == DType::kF32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  std::uint16_t half;
  std::memcpy(&half, at, sizeof(half));
  return t.type == DType::kF16 ? float_from_f16(half) : float_from_bf16(half);
}

double dot(const double* a, const double* b, std::size_t n) {
  return std::inner_product(a, a + n, b, 0.0);
}

void softmax(std::vector<double>& x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) sum += v = std::exp(v - top);
  for (double& v : x) v /= sum;
}

// Average over `kernel` neighbours, zeros beyond the ends, always divided by `kernel`.
std::vector<double> average_pool(const std::vector<double>& x, std::size_t kernel) {
  const auto n = static_cast<std::ptrdiff_t>(x.size());
  const auto half = static_cast<std::ptrdiff_t>(kernel / 2);
  std::vector<double> out(x.size());
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = std::max<std::ptrdiff_t>(0, i - half); j <= std::min(n - 1, i + half);
         ++j) {
      out[static_cast<std::size_t>(i)] += x[static_cast<std::size_t>(j)];
    }
    out[static_cast<std::size_t>(i)] /= static_cast<double>(kernel);
  }
  return out;
}

}  // namespace

Float64Decoder::Float64Decoder(const Checkpoint& checkpoint)
    : checkpoint_(checkpoint),
      config_(checkpoint.config()),
      cache_(config_.layers, std::vector<std::vector<Row>>(config_.kv_heads)),
      queries_(config_.layers) {
  const RopeTable table = rope_table(config_.rope, config_.head_dim);
  inverse_frequency_ = table.inverse_frequency;
  magnitude_ = table.magnitude;
}

const Float64Decoder::Vector& Float64Decoder::tensor(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  Vector values;
  if (const TensorView* view = checkpoint_.find(name)) {
    const std::size_t count = std::accumulate(view->shape.begin(), view->shape.end(),
                                              std::size_t{1}, std::multiplies<>());
    for (std::size_t i = 0; i < count; ++i) values.push_back(element(*view, i));
  }
  return tensors_.emplace(name, std::move(values)).first->second;
}

Float64Decoder::Vector Float64Decoder::product(const std::string& name, const Vector& x) {
  const Vector& w = tensor(name + ".weight");
  const Vector& bias = tensor(name + ".bias");
  Vector y(w.size() / x.size());
  for (std::size_t r = 0; r < y.size(); ++r) {
    y[r] = dot(w.data() + r * x.size(), x.data(), x.size()) + (bias.empty() ? 0.0 : bias[r]);
  }
  return y;
}

Float64Decoder::Vector Float64Decoder::norm(const std::string& name, const Vector& x,
                                            std::size_t width) {
  const Vector& w = tensor(name + ".weight");
  if (w.empty()) return x;
  Vector y(x.size());
  for (std::size_t begin = 0; begin < x.size(); begin += width) {
    const double square = dot(x.data() + begin, x.data() + begin, width);
    const double scale = 1.0 / std::sqrt(square / static_cast<double>(width) + config_.norm_eps);
    for (std::size_t i = 0; i < width; ++i) y[begin + i] = x[begin + i] * scale * w[i];
  }
  return y;
}

void Float64Decoder::rotate(Vector& heads, std::size_t count, std::int32_t position) const {
  const std::size_t d = config_.head_dim;
  for (std::size_t h = 0; h < count; ++h) {
    for (std::size_t i = 0; i < d / 2; ++i) {
      const double angle = position * inverse_frequency_[i];
      const double c = std::cos(angle) * magnitude_, s = std::sin(angle) * magnitude_;
      double& a = heads[h * d + i];
      double& b = heads[h * d + d / 2 + i];
      const double rotated = a * c - b * s;
      b = b * c + a * s;
      a = rotated;
    }
  }
}

void Float64Decoder::use_heads(const HeadSet& full, std::size_t sink, std::size_t recent) {
  full_ = full;
  sink_ = sink;
  recent_ = recent;
}

std::vector<std::size_t> Float64Decoder::full_heads(std::size_t layer) const {
  if (full_) return full_->full(layer);
  std::vector<std::size_t> all(config_.kv_heads);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

// What a constant head does not see: neither a sink nor within the window, the token itself in it.
void Float64Decoder::leave_window(std::vector<Row>& rows) const {
  std::erase_if(rows, [this](const Row& row) {
    return row.position >= static_cast<std::int32_t>(sink_) &&
           row.position <= position_ - static_cast<std::int32_t>(recent_);
  });
}

// Softmax over the rows.
Float64Decoder::Vector Float64Decoder::weights_of(const std::vector<Row>& rows,
                                                  const std::vector<const double*>& asking) const {
  const std::size_t d = config_.head_dim;
  Vector weights;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    weights.push_back(dot(asking[r], rows[r].k.data(), d) / std::sqrt(static_cast<double>(d)));
  }
  softmax(weights);
  return weights;
}

Float64Decoder::Vector Float64Decoder::attention(std::size_t layer, const Vector& x) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".self_attn.";
  const std::size_t d = config_.head_dim, group = config_.heads / config_.kv_heads;
  Vector q = norm(prefix + "q_norm", product(prefix + "q_proj", x), d);
  Vector k = norm(prefix + "k_norm", product(prefix + "k_proj", x), d);
  const Vector v = product(prefix + "v_proj", x);
  const Vector unturned = q;
  rotate(q, config_.heads, position_);
  rotate(k, config_.kv_heads, position_);
  if (generating_) queries_[layer].push_back(q);
  Vector mixed(config_.heads * d);
  for (std::size_t h = 0; h < config_.heads; ++h) {
    const std::size_t kv = h / group;
    std::vector<Row>& rows = cache_[layer][kv];
    if (h % group == 0) {
      const auto begin = static_cast<std::ptrdiff_t>(kv * d),
                 end = begin + static_cast<std::ptrdiff_t>(d);
      rows.push_back({position_, Vector(k.begin() + begin, k.begin() + end),
                      Vector(v.begin() + begin, v.begin() + end), Vector(group)});
      if (generating_ && full_ && !full_->is_full(layer, kv)) leave_window(rows);
      for (Row& row : rows) row.received *= decay_;
    }
    std::map<std::int32_t, Vector> turned;  // by the place that the query is asked from
    std::vector<const double*> asking;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto distance = static_cast<std::int32_t>(rows.size() - 1 - r);
      const std::int32_t place =
          generating_ && cache_positions_ ? rows[r].position + distance : position_;
      const auto [at, fresh] = turned.try_emplace(place, unturned);
      if (fresh) rotate(at->second, config_.heads, place);
      asking.push_back(at->second.data() + h * d);
    }
    const Vector weights = weights_of(rows, asking);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      rows[r].weights[h % group] = weights[r];
      rows[r].received += weights[r];
      for (std::size_t i = 0; i < d; ++i) mixed[h * d + i] += weights[r] * rows[r].v[i];
    }
  }
  return product(prefix + "o_proj", mixed);
}

std::vector<double> Float64Decoder::read(std::int32_t id) {
  const Vector& embedding = tensor("model.embed_tokens.weight");
  const auto row = embedding.begin() + static_cast<std::ptrdiff_t>(config_.hidden) * id;
  Vector x(row, row + static_cast<std::ptrdiff_t>(config_.hidden));
  for (std::size_t l = 0; l < config_.layers; ++l) {
    const std::string prefix = "model.layers." + std::to_string(l) + ".";
    const Vector mixed = attention(l, norm(prefix + "input_layernorm", x, config_.hidden));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += mixed[i];
    const Vector normed = norm(prefix + "post_attention_layernorm", x, config_.hidden);
    Vector gate = product(prefix + "mlp.gate_proj", normed);
    const Vector up = product(prefix + "mlp.up_proj", normed);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
    const Vector down = product(prefix + "mlp.down_proj", gate);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += down[i];
  }
  ++position_;
  const Vector normed = norm("model.norm", x, config_.hidden);
  return product(config_.tied_head ? "model.embed_tokens" : "lm_head", normed);
}

void Float64Decoder::begin_generation() {
  generating_ = true;
  prompt_rows_ = 0;
  for (std::size_t l = config_.layers; l-- > 0;) {
    if (!full_heads(l).empty()) prompt_rows_ = rows(l, full_heads(l).front());
  }
  generated_ = rounds_ = 0;
  for (auto& layer : queries_) layer.clear();
}

std::vector<double> Float64Decoder::generate(std::int32_t id) {
  std::vector<double> logits = read(id);
  ++generated_;
  if (rpc_.policy == KvPolicy::kRpc && generated_ == rpc_.window + (rounds_ + 1) * rpc_.interval) {
    compress();
  }
  return logits;
}

// Attention weights over rows [first, end), summed over the window's queries. [heads][end - first]
std::vector<Float64Decoder::Vector> Float64Decoder::head_scores(std::size_t layer,
                                                                std::size_t first,
                                                                std::size_t end) const {
  const std::size_t d = config_.head_dim, group = config_.heads / config_.kv_heads;
  std::vector<Vector> scores(config_.heads, Vector(end - first));
  const std::vector<Vector>& queries = queries_[layer];
  for (std::size_t r = queries.size() - rpc_.window; r < queries.size(); ++r) {
    for (std::size_t h = 0; h < config_.heads; ++h) {
      if (full_ && !full_->is_full(layer, h / group)) continue;
      const std::vector<Row>& rows = cache_[layer][h / group];
      Vector weights;
      for (std::size_t i = first; i < end; ++i) {
        weights.push_back(dot(queries[r].data() + h * d, rows[i].k.data(), d) /
                          std::sqrt(static_cast<double>(d)));
      }
      softmax(weights);
      for (std::size_t i = 0; i < weights.size(); ++i) scores[h][i] += weights[i];
    }
  }
  return scores;
}

void Float64Decoder::compress() {
  ++rounds_;
  const std::size_t group = config_.heads / config_.kv_heads;
  const auto per_round =
      static_cast<std::size_t>(std::floor(static_cast<double>(rpc_.interval) / rpc_.ratio));
  const std::size_t keep = rounds_ * per_round;
  for (std::size_t l = 0; l < config_.layers; ++l) {
    const std::vector<std::size_t> full = full_heads(l);
    if (full.empty()) continue;
    const std::size_t first = prompt_rows_, end = rows(l, full[0]) - rpc_.window;
    const std::vector<Vector> scores = head_scores(l, first, end);
    for (const std::size_t kv : full) {
      const bool whole_layer = rpc_.granularity == KvGranularity::kLayer;
      const std::vector<std::size_t> sharing = whole_layer ? full : std::vector<std::size_t>{kv};
      Vector mean(end - first);
      for (const std::size_t one : sharing) {
        for (std::size_t h = one * group; h < (one + 1) * group; ++h) {
          for (std::size_t i = 0; i < mean.size(); ++i) {
            mean[i] += scores[h][i] / static_cast<double>(sharing.size() * group);
          }
        }
      }
      const Vector pooled = average_pool(mean, rpc_.kernel);
      std::vector<std::size_t> order(pooled.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return pooled[a] > pooled[b]; });
      if (keep > 0 && keep < order.size()) {
        const double last = pooled[order[keep - 1]], gap = last - pooled[order[keep]];
        const auto call = closest_calls_.try_emplace({l, kv}, 1.0).first;
        call->second = std::min(call->second, gap / last);
      }
      order.resize(keep);
      std::sort(order.begin(), order.end());
      std::vector<Row>& rows_here = cache_[l][kv];
      std::vector<Row> kept(rows_here.begin(),
                            rows_here.begin() + static_cast<std::ptrdiff_t>(first));
      for (const std::size_t i : order) kept.push_back(rows_here[first + i]);
      kept.insert(kept.end(), rows_here.begin() + static_cast<std::ptrdiff_t>(end),
                  rows_here.end());
      rows_here = std::move(kept);
    }
  }
}

void Float64Decoder::keep(std::size_t layer, std::size_t kv_head,
                          std::span<const std::int32_t> positions) {
  std::erase_if(cache_[layer][kv_head], [&](const Row& row) {
    return !std::binary_search(positions.begin(), positions.end(), row.position);
  });
}

double Float64Decoder::closest_call(std::size_t layer, std::size_t kv_head) const {
  const auto found = closest_calls_.find({layer, kv_head});
  return found == closest_calls_.end() ? 1.0 : found->second;
}

const std::vector<Float64Decoder::Row>& Float64Decoder::held(std::size_t layer,
                                                             std::size_t kv_head) const {
  return cache_[layer][kv_head];
}

std::size_t Float64Decoder::rows(std::size_t layer, std::size_t kv_head) const {
  return held(layer, kv_head).size();
}

std::vector<std::int32_t> Float64Decoder::positions(std::size_t layer, std::size_t kv_head) const {
  std::vector<std::int32_t> out;
  for (const Row& row : held(layer, kv_head)) out.push_back(row.position);
  return out;
}

}  // namespace laconic::test
