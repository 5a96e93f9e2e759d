// SPDX-License-Identifier: Apache-2.0
#include "train/element_type.h"
#include "train/functions.h"
#include "train/fused.h"
#include "train/reference.h"

namespace laconic::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// x is the residual stream: always f32.
struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        double epsilon, std::int64_t type) {
    const auto y_type = static_cast<at::ScalarType>(type);
    Tensor y = at::empty(x.sizes(), x.options().dtype(y_type));
    const Tensor inverse_rms = at::empty({x.size(0)}, x.options());
    with_element_type(y_type, [&](auto element) {
      rms_norm_forward(extent(x, 0), extent(x, 1), elements<float>(x), elements<float>(weight),
                       static_cast<float>(epsilon), elements<decltype(element)>(y),
                       elements<float>(inverse_rms));
    });
    context->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1];
    const Tensor d_y = gradients[0].contiguous();
    const Tensor d_x = at::empty_like(x), d_weight = at::zeros_like(weight);
    with_element_type(d_y.scalar_type(), [&](auto element) {
      rms_norm_backward(extent(x, 0), extent(x, 1), elements<float>(x), elements<float>(weight),
                        elements<float>(saved[2]), elements<decltype(element)>(d_y),
                        elements<float>(d_x), elements<float>(d_weight));
    });
    return {d_x, d_weight, Tensor(), Tensor()};
  }
};

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_up) {
    const std::int64_t n = gate_up.size(1) / 2;
    Tensor y = at::empty({gate_up.size(0), n}, gate_up.options());
    with_element_type(gate_up.scalar_type(), [&](auto element) {
      using T = decltype(element);
      swiglu_forward(extent(y, 0), extent(y, 1), elements<T>(gate_up), elements<T>(y));
    });
    context->save_for_backward({gate_up});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor gate_up = context->get_saved_variables()[0];
    const Tensor d_y = gradients[0].contiguous();
    Tensor d_gate_up = at::empty_like(gate_up);
    with_element_type(gate_up.scalar_type(), [&](auto element) {
      using T = decltype(element);
      swiglu_backward(extent(d_y, 0), extent(d_y, 1), elements<T>(gate_up), elements<T>(d_y),
                      elements<T>(d_gate_up));
    });
    return {d_gate_up};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon, at::ScalarType type) {
  if (!x.is_cpu()) return reference::rms_norm(x, weight, epsilon, type);
  return RmsNorm::apply(x, weight, epsilon, static_cast<std::int64_t>(type));
}

Tensor swiglu(const Tensor& gate_up) {
  return gate_up.is_cpu() ? SwiGlu::apply(gate_up) : reference::swiglu(gate_up);
}

}  // namespace laconic::train
