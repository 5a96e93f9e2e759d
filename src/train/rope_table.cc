// SPDX-License-Identifier: Apache-2.0
#include "train/rope_table.h"

namespace laconic::train {

RopeRows rope_rows(const Tensor& positions, std::int64_t head_dim, double theta) {
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions().dtype(at::kDouble).device(positions.device());
  const Tensor exponent = at::arange(0, head_dim, 2, options) / static_cast<double>(head_dim);
  const Tensor frequency = at::pow(theta, exponent).reciprocal();
  // Every text counts from 0, so few positions are distinct: one row for each of them.
  const std::int64_t distinct =
      positions.numel() == 0 ? 0 : positions.max().item<std::int64_t>() + 1;
  const Tensor angle = at::outer(at::arange(distinct, options), frequency);
  return {angle.cos().to(at::kFloat).index_select(0, positions),
          angle.sin().to(at::kFloat).index_select(0, positions)};
}

}  // namespace laconic::train
