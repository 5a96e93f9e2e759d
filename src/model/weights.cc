// SPDX-License-Identifier: Apache-2.0
#include "model/weights.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/threads.h"
#include "kernels/quantize.h"

namespace laconic {
namespace {

class Loader {
 public:
  Loader(Checkpoint& checkpoint, const DType* quantize, std::size_t threads, Weights& out)
      : checkpoint_(checkpoint), quantize_(quantize), out_(out), threads_(threads) {
    if (quantize != nullptr && !can_quantize(*quantize)) {
      throw_usage("{} is read but not written", dtype_name(*quantize));
    }
    for (const TensorView& tensor : checkpoint.tensors()) {
      if (!is_packed(tensor)) continue;
      out_.packed_bytes +=
          packed_bytes({target(tensor), nullptr, tensor.shape[0], tensor.shape[1]});
    }
    out_.packed = PackedMemory(out_.packed_bytes);
  }

  Matrix matrix(const std::string& name) {
    const TensorView& tensor = require(name);
    const WeightView view{tensor.type, tensor.bytes.data(), tensor.shape[0], tensor.shape[1]};
    if (quantize_ != nullptr && target(tensor) != *quantize_) {
      out_.not_quantized.push_back(
          fmt::format("{} ({}, {} columns)", name, dtype_name(view.type), view.cols));
    }
    if (!is_packed(tensor)) return Matrix(view);
    const Matrix packed = view.type == target(tensor) ? pack(view) : pack(quantized(view));
    checkpoint_.release(name);
    return packed;
  }

  // A vector as f32, or an empty one when this config has none of that name.
  std::vector<float> vector(const std::string& name) const {
    const TensorView* tensor = checkpoint_.find(name);
    if (tensor == nullptr) return {};
    std::vector<float> values(tensor->shape[0]);
    dequantize(tensor->type, tensor->bytes.data(), values.size(), values.data());
    return values;
  }

 private:
  const TensorView& require(const std::string& name) const {
    const TensorView* tensor = checkpoint_.find(name);
    if (tensor == nullptr) throw_input("the checkpoint has no tensor {}", name);
    return *tensor;
  }

  // The type that a matrix is to have.
  DType target(const TensorView& tensor) const {
    const bool fits = quantize_ != nullptr && tensor.shape[1] % block_elements(*quantize_) == 0;
    return fits ? *quantize_ : tensor.type;
  }

  // An embedding of its own is looked up only: where the file has the right type, its pages do.
  bool is_packed(const TensorView& tensor) const {
    if (tensor.shape.size() != 2) return false;
    return !only_looked_up(tensor, checkpoint_.config()) || target(tensor) != tensor.type;
  }

  Matrix pack(const WeightView& view) {
    const std::size_t bytes = packed_bytes(view);
    const PackedView packed = pack_into(threads_, view, out_.packed.data() + used_);
    used_ += bytes;
    return Matrix(packed, bytes);
  }

  // In scratch_, which keeps the size of the largest.
  WeightView quantized(const WeightView& from) {
    const std::size_t stride = row_bytes(*quantize_, from.cols);
    if (scratch_.size() < from.rows * stride) scratch_.resize(from.rows * stride);
    threads_.parallel_for(from.rows, 16, [&](std::size_t begin, std::size_t end, std::size_t) {
      std::vector<float> row(from.cols);
      for (std::size_t r = begin; r < end; ++r) {
        dequantize_row(from, r, row.data());
        quantize_row(*quantize_, row.data(), from.cols, scratch_.data() + r * stride);
      }
    });
    return {*quantize_, scratch_.data(), from.rows, from.cols};
  }

  Checkpoint& checkpoint_;
  const DType* quantize_;
  Weights& out_;
  Threads threads_;
  std::size_t used_ = 0;  // bytes of out_.packed
  std::vector<std::byte> scratch_;
};

LayerWeights load_layer(Loader& loader, std::size_t index) {
  const std::string prefix = fmt::format("model.layers.{}.", index);
  const std::string attention = prefix + "self_attn.";
  LayerWeights layer;
  layer.attention_norm = loader.vector(prefix + "input_layernorm.weight");
  layer.q = loader.matrix(attention + "q_proj.weight");
  layer.k = loader.matrix(attention + "k_proj.weight");
  layer.v = loader.matrix(attention + "v_proj.weight");
  layer.o = loader.matrix(attention + "o_proj.weight");
  layer.q_bias = loader.vector(attention + "q_proj.bias");
  layer.k_bias = loader.vector(attention + "k_proj.bias");
  layer.v_bias = loader.vector(attention + "v_proj.bias");
  layer.o_bias = loader.vector(attention + "o_proj.bias");
  layer.q_norm = loader.vector(attention + "q_norm.weight");
  layer.k_norm = loader.vector(attention + "k_norm.weight");
  layer.mlp_norm = loader.vector(prefix + "post_attention_layernorm.weight");
  layer.gate = loader.matrix(prefix + "mlp.gate_proj.weight");
  layer.up = loader.matrix(prefix + "mlp.up_proj.weight");
  layer.down = loader.matrix(prefix + "mlp.down_proj.weight");
  return layer;
}

std::size_t layer_bytes(const LayerWeights& l) {
  const std::size_t floats = l.attention_norm.size() + l.q_bias.size() + l.k_bias.size() +
                             l.v_bias.size() + l.o_bias.size() + l.q_norm.size() + l.k_norm.size() +
                             l.mlp_norm.size();
  std::size_t bytes = floats * sizeof(float);
  for (const Matrix* w : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
    bytes += w->bytes().size();
  }
  return bytes;
}

}  // namespace

std::size_t Weights::bytes_per_step() const {
  std::size_t bytes = head.bytes().size() + final_norm.size() * sizeof(float);
  for (const LayerWeights& layer : layers) bytes += layer_bytes(layer);
  return bytes;
}

std::size_t Weights::total_bytes() const {
  return bytes_per_step() + (tied() ? 0 : embedding.bytes().size());
}

std::size_t Weights::mapped_bytes() const { return total_bytes() - packed_bytes; }

std::size_t Weights::parameters() const {
  const auto count = [](const Matrix& w) { return w.rows() * w.cols(); };
  std::size_t total = count(embedding) + (tied() ? 0 : count(head));
  total += final_norm.size();
  for (const LayerWeights& l : layers) {
    for (const Matrix* w : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
      total += count(*w);
    }
    total += l.attention_norm.size() + l.mlp_norm.size() + l.q_norm.size() + l.k_norm.size() +
             l.q_bias.size() + l.k_bias.size() + l.v_bias.size() + l.o_bias.size();
  }
  return total;
}

void Matrix::dequantize_row(std::size_t row, float* out) const {
  if (is_packed()) {
    dequantize_packed_row(packed_, row, out);
  } else {
    laconic::dequantize_row(stored_, row, out);
  }
}

Weights load_weights(Checkpoint& checkpoint, const DType* quantize, std::size_t threads) {
  Weights weights;
  weights.config = checkpoint.config();
  Loader loader(checkpoint, quantize, threads, weights);
  weights.embedding = loader.matrix(kEmbeddingName);
  weights.final_norm = loader.vector("model.norm.weight");
  weights.head = weights.config.tied_head ? weights.embedding : loader.matrix("lm_head.weight");
  weights.layers.reserve(weights.config.layers);
  for (std::size_t i = 0; i < weights.config.layers; ++i) {
    weights.layers.push_back(load_layer(loader, i));
  }
  return weights;
}

}  // namespace laconic
