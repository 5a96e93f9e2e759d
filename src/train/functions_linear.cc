// SPDX-License-Identifier: Apache-2.0
// Products with a weight, and the last one together with the loss. Both are libtorch's own products
// on any device; what is ours is what they keep.
#include <algorithm>

#include "train/element_type.h"
#include "train/functions.h"
#include "train/fused.h"

namespace laconic::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Project : torch::autograd::Function<Project> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight) {
    const Tensor cast = weight.to(x.scalar_type());
    context->save_for_backward({x, cast});
    return at::mm(x, cast.t());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor& d_y = gradients[0];
    return {at::mm(d_y, saved[1]), at::mm(d_y.t(), saved[0]).to(at::kFloat)};
  }
};

// Logits of one chunk become their gradient; the sum of the rows' losses, f64 scalar.
Tensor cross_entropy_of_chunk(Tensor& logits, const Tensor& targets, double gradient_scale) {
  if (logits.is_cpu()) {
    return with_element_type(logits.scalar_type(), [&](auto type) {
      return at::scalar_tensor(
          cross_entropy_in_place(extent(logits, 0), extent(logits, 1),
                                 elements<decltype(type)>(logits), elements<std::int64_t>(targets),
                                 static_cast<float>(gradient_scale)),
          at::kDouble);
    });
  }
  const Tensor wide = logits.to(at::kFloat), index = targets.clamp_min(0).unsqueeze(1);
  const Tensor counts = (targets >= 0).unsqueeze(1).to(at::kFloat);
  const Tensor log_sum = wide.logsumexp(1, /*keepdim=*/true);
  const Tensor sum = ((log_sum - wide.gather(1, index)) * counts).sum().to(at::kDouble);
  Tensor gradient = (wide - log_sum).exp_();
  gradient.scatter_add_(1, index, at::full_like(log_sum, -1.0));
  logits.copy_(gradient.mul_(counts * gradient_scale));
  return sum;
}

// Enough rows for the products to run at full speed and for the sum of the weight's gradient not to
// count, few enough for a small vocabulary's logits to stay in the second-level cache.
std::int64_t chunk_rows(std::int64_t vocab) {
  return std::clamp<std::int64_t>((std::int64_t{1} << 21) / vocab, 256, 2048);
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& weight,
                        const Tensor& targets, bool wants_gradient) {
    const std::int64_t rows = hidden.size(0), step = chunk_rows(weight.size(0));
    const auto counted = (targets >= 0).sum().item<std::int64_t>();
    const double scale = 1.0 / static_cast<double>(std::max<std::int64_t>(counted, 1));
    const Tensor cast = weight.to(hidden.scalar_type());
    Tensor d_hidden, d_weight;
    if (wants_gradient) {
      d_hidden = at::empty_like(hidden);
      d_weight = at::zeros_like(weight);
    }
    Tensor sum = at::zeros({}, hidden.options().dtype(at::kDouble));
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      const Tensor part = hidden.narrow(0, begin, count);
      Tensor logits = at::mm(part, cast.t());
      sum += cross_entropy_of_chunk(logits, targets.narrow(0, begin, count), scale);
      if (!wants_gradient) continue;
      d_hidden.narrow(0, begin, count).copy_(at::mm(logits, cast));
      d_weight.add_(at::mm(logits.t(), part));
    }
    context->save_for_backward({d_hidden, d_weight});
    return (sum * scale).to(at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor& scale = gradients[0];
    return {saved[0] * scale.to(saved[0].scalar_type()), saved[1] * scale, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor project(const Tensor& x, const Tensor& weight) { return Project::apply(x, weight); }

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  const bool wants_gradient =
      at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  return LinearCrossEntropy::apply(hidden, weight, targets, wants_gradient);
}

}  // namespace laconic::train
