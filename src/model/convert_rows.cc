// SPDX-License-Identifier: Apache-2.0
#include "model/convert_rows.h"

#include "kernels/quantize.h"

namespace laconic {

std::vector<std::byte> convert_tensor(const TensorView& tensor, DType type, Threads& threads) {
  if (type == tensor.type) return {tensor.bytes.begin(), tensor.bytes.end()};
  const std::size_t cols = tensor.shape.back();
  const std::size_t row_in = row_bytes(tensor.type, cols), row_out = row_bytes(type, cols);
  const std::size_t rows = tensor.bytes.size() / row_in;
  std::vector<std::byte> out(rows * row_out);
  threads.parallel_for(
      rows, rows_per_thread(cols), [&](std::size_t begin, std::size_t end, std::size_t) {
        std::vector<float> row(cols);
        for (std::size_t r = begin; r < end; ++r) {
          dequantize(tensor.type, tensor.bytes.data() + r * row_in, cols, row.data());
          quantize_row(type, row.data(), cols, out.data() + r * row_out);
        }
      });
  return out;
}

}  // namespace laconic
