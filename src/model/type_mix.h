// SPDX-License-Identifier: Apache-2.0
// Which type each matrix of a file that is written takes: one for all, or a mix that llama.cpp's
// users know by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/dtype.h"
#include "model/config.h"

namespace laconic {

class TypeMix {
 public:
  TypeMix(DType type) : most_(type) {}  // the same for all
  // Q4_K, and Q6_K where an error costs most: in the output head (the embedding when tied), and in
  // the V and down projections of the first and the last eighth of the layers and of every third
  // layer between them.
  static TypeMix q4_k_m();

  DType most() const { return most_; }
  // Of a matrix, by its Hugging Face name.
  DType of(const ModelConfig& config, std::string_view name) const;
  std::uint64_t file_type() const;  // general.file_type: llama.cpp's number of the mix
  std::string_view name() const;    // "q8_0", "q4_k_m"

 private:
  DType most_;
  bool more_bits_ = false;
};

}  // namespace laconic
