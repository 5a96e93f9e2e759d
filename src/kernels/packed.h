// SPDX-License-Identifier: Apache-2.0
// Weight matrices, laid out anew for products with few or many rows, and these products.
//
// Two recipes, by the type of the weights alone: whatever the number of rows, threads and tiles,
// and the instruction set, results are the same bits (SIMD targets without fused multiply-add round
// twice).
//
// Block-quantised weights times quantised rows: the 32 products of a block (of half a block in
// q6_k) are summed exactly in int32; blocks are added in ascending order to one f32 sum, acc =
// fma(float(sum), weight_scale * row_scale, acc), and the K-quants' minimum follows each block as
// acc = fma(-minimum, row_scale * row_sum, acc).
//
// f32, f16 and bf16 weights times rows of f32: products of even columns are added in ascending
// order to one f32 sum, those of odd columns to another, fma(w, x, acc), then both are added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kernels/quantized_rows.h"
#include "kernels/weight_view.h"

namespace laconic {

// Output features whose weights are interleaved: the int32 lanes of a 64-byte vector.
inline constexpr std::size_t kPackedRows = 16;

// The bytes of a packed matrix; packed_layout.h says where things are.
struct PackedView {
  DType type = DType::kQ8_0;
  const std::uint8_t* weights = nullptr;  // [group][block], 64-byte aligned
  const std::uint8_t* scales = nullptr;   // [group][scale unit]
  std::size_t rows = 0, cols = 0;
};

// Whether a product of such weights reads quantised rows, rather than rows of f32.
constexpr bool reads_quantized_rows(DType type) { return block_elements(type) > 1; }

// Bytes that a packed copy takes, and a product reads: those of the source, up to 3 % more in
// K-quants, and what fills up 16 rows and two columns. A multiple of 64 each.
std::size_t packed_bytes(const WeightView& view);

// Owns 64-byte aligned memory, in huge pages where the system allows. A model does best to pack all
// its matrices into one: small pages cost a walk of the page table for every 4 KiB read.
class PackedMemory {
 public:
  PackedMemory() = default;
  // Error(kResource) when the memory is not there.
  explicit PackedMemory(std::size_t bytes);
  std::uint8_t* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(std::uint8_t* p) const;
  };
  std::unique_ptr<std::uint8_t, Free> memory_;
};

// Packs into memory of the caller's, 64-byte aligned, and writes every byte of it: equal sources
// give equal bytes. The source may go afterwards.
PackedView pack_into(Threads& threads, const WeightView& view,
                     std::uint8_t* memory /* [packed_bytes(view)] */);

// Owns one packed copy.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  static PackedMatrix pack(Threads& threads, const WeightView& view);

  const PackedView& view() const { return view_; }
  std::size_t bytes() const { return bytes_; }

 private:
  PackedMemory memory_;
  std::size_t bytes_ = 0;
  PackedView view_;
};

// A matrix and where its product goes.
struct PackedProduct {
  PackedView w;
  float* y;              // [n][y_stride], of which w.rows are written
  std::size_t y_stride;  // at least w.rows
};

// y = x W^T for every product: one parallel region for matrices that share their input. Weights are
// read from memory once for any n. PRECONDITION: w.cols equals x.cols() in each, and
// reads_quantized_rows(w.type).
void packed_products(Threads& threads, std::span<const PackedProduct> products,
                     const QuantizedRows& x);

// The same for f32, f16 and bf16 weights. PRECONDITION: w.cols is the same in each.
void packed_products(Threads& threads, std::span<const PackedProduct> products,
                     const float* x /* [n][w.cols] */, std::size_t n);

// The bits of dequantize_row on the matrix that was packed.
void dequantize_packed_row(const PackedView& w, std::size_t row, float* out /* [cols] */);

namespace reference {
// Dequantised weights times dequantised activations, in double.
void packed_product(const PackedView& w, const QuantizedRowsView& x, float* y,
                    std::size_t y_stride);
void packed_product(const PackedView& w, const float* x /* [n][w.cols] */, std::size_t n, float* y,
                    std::size_t y_stride);
}  // namespace reference

}  // namespace laconic
