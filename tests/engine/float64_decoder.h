// SPDX-License-Identifier: Apache-2.0
// A plain decoder in double precision with its own RPC, written from the papers for the tests: no
// kernels, no pages, no batching. Slow and easy to read; it is what the engine is compared with.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "laconic/kv_options.h"
#include "model/checkpoint.h"

namespace laconic::test {

class Float64Decoder {
 public:
  explicit Float64Decoder(const Checkpoint& checkpoint);

  // RPC at kv_head or layer granularity while decoding; without it the cache is full.
  void use_rpc(const KvOptions& options) { rpc_ = options; }

  // Prompt tokens, then begin_generation(), then one generated token at a time.
  std::vector<double> read(std::int32_t id);  // logits [vocab]
  void begin_generation();
  std::vector<double> generate(std::int32_t id);  // a generated token: may compress afterwards

  std::size_t rows(std::size_t layer, std::size_t kv_head) const;
  // True positions held. [rows]
  std::vector<std::int32_t> positions(std::size_t layer, std::size_t kv_head) const;

 private:
  using Vector = std::vector<double>;
  struct Row {
    std::int32_t position;
    Vector k, v;
  };
  struct HeadRows {
    std::vector<Row> rows;
  };

  const Vector& tensor(const std::string& name);
  Vector product(const std::string& name, const Vector& x);
  Vector norm(const std::string& name, const Vector& x, std::size_t width);
  void rotate(Vector& heads, std::size_t count, std::int32_t position) const;
  Vector attention(std::size_t layer, const Vector& x);
  void compress();
  std::vector<Vector> head_scores(std::size_t layer, std::size_t first, std::size_t end) const;

  const Checkpoint& checkpoint_;
  ModelConfig config_;
  std::map<std::string, Vector> tensors_;
  std::vector<double> inverse_frequency_;
  double magnitude_ = 1.0;
  std::vector<std::vector<HeadRows>> cache_;  // [layer][kv_head]
  std::vector<std::vector<Vector>> queries_;  // [layer][generated tokens][heads * head_dim]
  std::int32_t position_ = 0;
  std::size_t prompt_rows_ = 0, generated_ = 0, rounds_ = 0;
  bool generating_ = false;
  KvOptions rpc_;
};

}  // namespace laconic::test
