// SPDX-License-Identifier: Apache-2.0
#include "model/convert_rows.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "kernels/quantize.h"

namespace laconic {
namespace {

constexpr float kLargestF16 = 65504.0f;

// The largest magnitude that comes out finite. A block's f16 scale is its largest value over 127
// (q8_0) or over 8 (q4_0).
float largest_of(DType type) {
  switch (type) {
    case DType::kF32:
      return std::numeric_limits<float>::max();
    case DType::kBF16:
      return 0x1.fep127f;
    case DType::kF16:
      return kLargestF16;
    case DType::kQ8_0:
      return 127.0f * kLargestF16;
    case DType::kQ4_0:
      return 8.0f * kLargestF16;
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      return std::numeric_limits<float>::max();  // only ever kept as stored
  }
  return 0.0f;
}

// Written so that NaN fails too; without a branch per element.
bool all_within(const std::vector<float>& row, float most) {
  bool within = true;
  for (const float value : row) within &= std::fabs(value) <= most;
  return within;
}

[[noreturn]] void refuse_row(const TensorView& tensor, DType type, std::size_t index,
                             const std::vector<float>& row) {
  const float most = largest_of(type);
  for (const float value : row) {
    if (std::fabs(value) <= most) continue;
    throw_input("the tensor {} holds {} in row {}, {} goes up to {}", tensor.name, value, index,
                dtype_name(type), most);
  }
  throw_input("the tensor {} cannot be {}", tensor.name, dtype_name(type));
}

}  // namespace

std::vector<std::byte> convert_tensor(const TensorView& tensor, DType type, Threads& threads) {
  const std::size_t cols = tensor.shape.back();
  const std::size_t row_in = row_bytes(tensor.type, cols), row_out = row_bytes(type, cols);
  const std::size_t rows = tensor.bytes.size() / row_in;
  const float most = largest_of(type);
  std::vector<std::byte> out(rows * row_out);
  std::atomic<std::size_t> refused{rows};  // the first row that cannot be converted
  threads.parallel_for(rows, rows_per_thread(cols),
                       [&](std::size_t begin, std::size_t end, std::size_t) {
                         std::vector<float> row(cols);
                         for (std::size_t r = begin; r < end; ++r) {
                           const std::byte* from = tensor.bytes.data() + r * row_in;
                           dequantize(tensor.type, from, cols, row.data());
                           if (!all_within(row, most)) {
                             // Only the smallest index stays, whatever the order of the threads.
                             std::size_t known = refused.load();
                             while (r < known && !refused.compare_exchange_weak(known, r)) {
                             }
                             return;
                           }
                           if (type == tensor.type) {
                             std::memcpy(out.data() + r * row_out, from, row_in);
                           } else {
                             quantize_row(type, row.data(), cols, out.data() + r * row_out);
                           }
                         }
                       });
  if (const std::size_t r = refused; r < rows) {
    std::vector<float> row(cols);
    dequantize(tensor.type, tensor.bytes.data() + r * row_in, cols, row.data());
    refuse_row(tensor, type, r, row);
  }
  return out;
}

}  // namespace laconic
