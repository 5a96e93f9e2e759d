// SPDX-License-Identifier: Apache-2.0
#include "train/filling.h"

namespace laconic::train {
namespace {

std::int64_t lacking(std::int64_t count, std::int64_t step) { return (step - count % step) % step; }

}  // namespace

PackedBatch filled_batch(const PackedBatch& batch, std::int64_t step) {
  const std::int64_t more = lacking(batch.ids.numel(), step);
  if (more == 0) return batch;
  PackedBatch filled;
  filled.ids = filled_rows(batch.ids, step, 0);
  filled.targets = filled_rows(batch.targets, step, -1);
  filled.positions = at::cat({batch.positions, at::arange(more, batch.positions.options())});
  filled.starts = batch.starts;
  filled.starts.push_back(batch.starts.back() + more);
  return filled;
}

Tensor filled_rows(const Tensor& rows, std::int64_t step, std::int64_t value) {
  const std::int64_t more = lacking(rows.numel(), step);
  return more == 0 ? rows : at::cat({rows, at::full({more}, value, rows.options())});
}

}  // namespace laconic::train
