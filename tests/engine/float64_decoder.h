// SPDX-License-Identifier: Apache-2.0
// A plain decoder in double precision with its own RPC, written from the papers for the tests: no
// kernels, no pages, no batching. Slow and easy to read; it is what the engine is compared with.
// For the other policies it tells what a ranking needs of its rows, and is told which of them stay.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kv/head_set.h"
#include "laconic/kv_options.h"
#include "model/checkpoint.h"

namespace laconic::test {

class Float64Decoder {
 public:
  using Vector = std::vector<double>;
  struct Row {
    std::int32_t position;
    Vector k, v;
    Vector weights;       // what the latest query of each head of the group gave it
    double received = 0;  // all weights so far, summed over the group
  };

  explicit Float64Decoder(const Checkpoint& checkpoint);

  // RPC at kv_head or layer granularity while decoding; without it the cache is full.
  void use_rpc(const KvOptions& options) { rpc_ = options; }

  // While decoding, heads outside `full` see their first `sink` rows and the newest `recent` ones.
  void use_heads(const HeadSet& full, std::size_t sink, std::size_t recent);
  // While decoding, every row is seen at its distance in the cache.
  void use_cache_positions() { cache_positions_ = true; }
  // What an older sum of received weights is multiplied by at each token.
  void use_decay(double decay) { decay_ = decay; }

  // Prompt tokens, then begin_generation(), then one generated token at a time. More prompt after
  // an answer starts with begin_prompt().
  void begin_prompt() { generating_ = false; }
  std::vector<double> read(std::int32_t id);  // logits [vocab]
  void begin_generation();
  std::vector<double> generate(std::int32_t id);  // a generated token: may compress afterwards

  // The other rows of that head go. `positions` ascend.
  void keep(std::size_t layer, std::size_t kv_head, std::span<const std::int32_t> positions);

  const std::vector<Row>& held(std::size_t layer, std::size_t kv_head) const;
  std::size_t rows(std::size_t layer, std::size_t kv_head) const;
  // True positions held. [rows]
  std::vector<std::int32_t> positions(std::size_t layer, std::size_t kv_head) const;
  // Of all compressions, the least difference between the last score that stayed and the first that
  // went, relative to it: below the rounding of f32, either choice is right.
  double closest_call(std::size_t layer, std::size_t kv_head) const;

 private:
  const Vector& tensor(const std::string& name);
  Vector product(const std::string& name, const Vector& x);
  Vector norm(const std::string& name, const Vector& x, std::size_t width);
  void rotate(Vector& heads, std::size_t count, std::int32_t position) const;
  Vector attention(std::size_t layer, const Vector& x);
  // `asking`: the query for each row. [rows][head_dim]
  Vector weights_of(const std::vector<Row>& rows, const std::vector<const double*>& asking) const;
  void leave_window(std::vector<Row>& rows) const;
  std::vector<std::size_t> full_heads(std::size_t layer) const;
  void compress();
  std::vector<Vector> head_scores(std::size_t layer, std::size_t first, std::size_t end) const;

  const Checkpoint& checkpoint_;
  ModelConfig config_;
  std::map<std::string, Vector> tensors_;
  std::vector<double> inverse_frequency_;
  double magnitude_ = 1.0;
  std::vector<std::vector<std::vector<Row>>> cache_;                     // [layer][kv_head]
  std::map<std::pair<std::size_t, std::size_t>, double> closest_calls_;  // by (layer, kv_head)
  std::vector<std::vector<Vector>> queries_;  // [layer][generated tokens][heads * head_dim]
  std::int32_t position_ = 0;
  std::size_t prompt_rows_ = 0, generated_ = 0, rounds_ = 0;
  bool generating_ = false;
  KvOptions rpc_;
  std::optional<HeadSet> full_;  // nothing: all are
  std::size_t sink_ = 0, recent_ = 0;
  bool cache_positions_ = false;
  double decay_ = 1.0;
};

}  // namespace laconic::test
