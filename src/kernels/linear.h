// SPDX-License-Identifier: Apache-2.0
// y = W x for weights as stored. Two recipes, chosen by the kind of row and by nothing else:
// a decode row (one new token of a sequence) always takes linear_decode, a prompt row always takes
// PromptLinear. Within a recipe the sum along K has one fixed order, whatever the number of rows
// and threads, so a sequence in a batch equals the same sequence alone.
#pragma once

#include <cstddef>
#include <memory>

#include "base/dtype.h"
#include "base/threads.h"

namespace laconic {

// A weight matrix as stored. Row r holds the weights of output feature r.
struct WeightView {
  DType type = DType::kF32;
  const std::byte* data = nullptr;  // [rows][row_bytes(type, cols)]
  std::size_t rows = 0;             // output features
  std::size_t cols = 0;             // input features; a multiple of block_elements(type)

  std::size_t bytes() const { return rows * row_bytes(type, cols); }
};

// Decode recipe: f32 activations, weights widened to f32 in registers, f32 accumulation.
// Weights stream through the cache once for all n rows. Memory-bound. Rows that hold the same
// values get the same bits, wherever they stand in the batch; w.data needs no alignment.
void linear_decode(Threads& threads, const WeightView& w, const float* x /* [n][cols] */,
                   std::size_t n, float* y /* [n][rows] */);

// Prompt recipe: oneDNN. f32 weights as they are; bf16 weights with activations split into
// two bf16 halves where the CPU has bf16 products; everything else through f32 panels of W. Owns
// its scratch and a bounded set of oneDNN primitives.
//
// Seen with oneDNN 2.6 on AVX-512 (f32 and bf16): a row's result had the same bits for 34 chunk
// lengths from 1 to 512, and for 1 and 2 threads, at 8 shapes from 64 x 172 to 4864 x 896; the
// tests repeat this in small. Elsewhere expect agreement to 1e-5.
class PromptLinear {
 public:
  explicit PromptLinear(Threads& threads);
  ~PromptLinear();
  PromptLinear(PromptLinear&&) noexcept;

  // Not for several threads at once: the team works inside.
  void run(const WeightView& w, const float* x /* [n][cols] */, std::size_t n,
           float* y /* [n][rows] */);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One row of a weight matrix as f32: the embedding look-up.
void dequantize_row(const WeightView& w, std::size_t row, float* out /* [cols] */);

namespace reference {
// The readable twin of both recipes: double accumulation over dequantised weights.
void linear(const WeightView& w, const float* x, std::size_t n, float* y);
void dequantize_row(const WeightView& w, std::size_t row, float* out);
}  // namespace reference

}  // namespace laconic
