// SPDX-License-Identifier: Apache-2.0
// From the product with the query, key and value weights to the mixed values.
#include <cmath>

#include "train/element_type.h"
#include "train/functions.h"
#include "train/fused.h"
#include "train/packed_attention.h"
#include "train/reference.h"

namespace laconic::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

HeadShape shape_of(AutogradContext* context) {
  auto& data = context->saved_data;
  return {data["heads"].toInt(), data["kv_heads"].toInt(), data["head_dim"].toInt(),
          data["norm_epsilon"].toDouble()};
}

void keep_shape(AutogradContext* context, const HeadShape& shape) {
  auto& data = context->saved_data;
  data["heads"] = shape.heads;
  data["kv_heads"] = shape.kv_heads;
  data["head_dim"] = shape.head_dim;
  data["norm_epsilon"] = shape.norm_epsilon;
}

// One row of [(heads + 2 kv_heads) head_dim]: where the queries, keys and values begin.
struct QkvRow {
  std::size_t heads, kv_heads, head_dim;
  explicit QkvRow(const HeadShape& shape)
      : heads(static_cast<std::size_t>(shape.heads)),
        kv_heads(static_cast<std::size_t>(shape.kv_heads)),
        head_dim(static_cast<std::size_t>(shape.head_dim)) {}
  std::size_t width() const { return (heads + 2 * kv_heads) * head_dim; }
  std::size_t keys() const { return heads * head_dim; }
  std::size_t values() const { return (heads + kv_heads) * head_dim; }
};

// libtorch 1.13 takes no undefined tensor as an argument of a function of one's own.
Tensor or_empty(const Tensor& weight, const Tensor& like) {
  return weight.defined() ? weight : at::empty({0}, like.options().dtype(at::kFloat));
}

// null: no norm.
const float* norm_weight(const Tensor& weight) {
  return weight.numel() == 0 ? nullptr : elements<float>(weight);
}

// q_norm and k_norm may be empty.
struct SplitHeads : torch::autograd::Function<SplitHeads> {
  static variable_list forward(AutogradContext* context, const HeadShape& shape, const Tensor& qkv,
                               const Tensor& q_norm, const Tensor& k_norm, const Tensor& cosine,
                               const Tensor& sine) {
    const std::int64_t rows = qkv.size(0);
    const QkvRow row(shape);
    const auto wide = qkv.options().dtype(at::kFloat);
    const Tensor q = at::empty({rows, shape.heads, shape.head_dim}, qkv.options());
    const Tensor k = at::empty({rows, shape.kv_heads, shape.head_dim}, qkv.options());
    const Tensor v =
        qkv.narrow(1, static_cast<std::int64_t>(row.values()), shape.kv_heads * shape.head_dim)
            .contiguous()
            .view(k.sizes());
    const Tensor q_rms = at::empty({rows, shape.heads}, wide);
    const Tensor k_rms = at::empty({rows, shape.kv_heads}, wide);
    with_element_type(qkv.scalar_type(), [&](auto element) {
      using T = decltype(element);
      const T* x = elements<T>(qkv);
      const auto n = static_cast<std::size_t>(rows);
      const auto epsilon = static_cast<float>(shape.norm_epsilon);
      norm_rope_forward(n, row.heads, row.head_dim, row.width(), x, norm_weight(q_norm), epsilon,
                        elements<float>(cosine), elements<float>(sine), elements<T>(q),
                        elements<float>(q_rms));
      norm_rope_forward(n, row.kv_heads, row.head_dim, row.width(), x + row.keys(),
                        norm_weight(k_norm), epsilon, elements<float>(cosine),
                        elements<float>(sine), elements<T>(k), elements<float>(k_rms));
    });
    keep_shape(context, shape);
    context->save_for_backward({qkv, q_norm, k_norm, cosine, sine, q_rms, k_rms});
    return {q, k, v};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &q_norm = saved[1], &k_norm = saved[2];
    const Tensor &cosine = saved[3], &sine = saved[4];
    const HeadShape shape = shape_of(context);
    const QkvRow row(shape);
    const Tensor d_q = gradients[0].contiguous(), d_k = gradients[1].contiguous();
    const Tensor d_qkv = at::empty_like(qkv);
    const Tensor d_q_norm = at::zeros_like(q_norm), d_k_norm = at::zeros_like(k_norm);
    with_element_type(qkv.scalar_type(), [&](auto element) {
      using T = decltype(element);
      const auto rows = extent(qkv, 0);
      const T* x = elements<T>(qkv);
      T* d_x = elements<T>(d_qkv);
      norm_rope_backward(rows, row.heads, row.head_dim, row.width(), x, norm_weight(q_norm),
                         elements<float>(saved[5]), elements<float>(cosine), elements<float>(sine),
                         elements<T>(d_q), d_x, elements<float>(d_q_norm));
      norm_rope_backward(rows, row.kv_heads, row.head_dim, row.width(), x + row.keys(),
                         norm_weight(k_norm), elements<float>(saved[6]), elements<float>(cosine),
                         elements<float>(sine), elements<T>(d_k), d_x + row.keys(),
                         elements<float>(d_k_norm));
    });
    const std::int64_t kv_width = shape.kv_heads * shape.head_dim;
    d_qkv.narrow(1, static_cast<std::int64_t>(row.values()), kv_width)
        .copy_(gradients[2].reshape({qkv.size(0), kv_width}));
    return {Tensor(), d_qkv, d_q_norm, d_k_norm, Tensor(), Tensor()};
  }
};

AttentionShape attention_shape(const HeadShape& shape) {
  return {static_cast<std::size_t>(shape.heads), static_cast<std::size_t>(shape.kv_heads),
          static_cast<std::size_t>(shape.head_dim),
          static_cast<float>(1.0 / std::sqrt(static_cast<double>(shape.head_dim)))};
}

struct Attention : torch::autograd::Function<Attention> {
  static Tensor forward(AutogradContext* context, const HeadShape& shape,
                        const std::vector<std::int64_t>& starts, const Tensor& q, const Tensor& k,
                        const Tensor& v) {
    Tensor out = at::empty_like(q);
    const Tensor lse = at::empty({shape.heads, q.size(0)}, q.options().dtype(at::kFloat));
    with_element_type(q.scalar_type(), [&](auto element) {
      using T = decltype(element);
      packed_attention_forward<T>(attention_shape(shape), starts, elements<T>(q), elements<T>(k),
                                  elements<T>(v), elements<T>(out), elements<float>(lse));
    });
    keep_shape(context, shape);
    context->saved_data["starts"] = starts;
    context->save_for_backward({q, k, v, out, lse});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2];
    const std::vector<std::int64_t> starts = context->saved_data["starts"].toIntVector();
    const Tensor d_out = gradients[0].contiguous();
    const Tensor d_q = at::empty_like(q), d_k = at::empty_like(k), d_v = at::empty_like(v);
    with_element_type(q.scalar_type(), [&](auto element) {
      using T = decltype(element);
      packed_attention_backward<T>(attention_shape(shape_of(context)), starts, elements<T>(q),
                                   elements<T>(k), elements<T>(v), elements<T>(saved[3]),
                                   elements<float>(saved[4]), elements<T>(d_out), elements<T>(d_q),
                                   elements<T>(d_k), elements<T>(d_v));
    });
    return {Tensor(), Tensor(), d_q, d_k, d_v};
  }
};

}  // namespace

QueryKeyValue split_heads(const HeadShape& shape, const Tensor& qkv, const Tensor& q_norm,
                          const Tensor& k_norm, const Tensor& cosine, const Tensor& sine) {
  if (!qkv.is_cpu()) return reference::split_heads(shape, qkv, q_norm, k_norm, cosine, sine);
  const auto parts =
      SplitHeads::apply(shape, qkv, or_empty(q_norm, qkv), or_empty(k_norm, qkv), cosine, sine);
  return {parts[0], parts[1], parts[2]};
}

Tensor attention(const HeadShape& shape, const std::vector<std::int64_t>& starts,
                 const QueryKeyValue& heads) {
  if (!heads.q.is_cpu()) return reference::attention(shape, starts, heads);
  return Attention::apply(shape, starts, heads.q, heads.k, heads.v);
}

}  // namespace laconic::train
