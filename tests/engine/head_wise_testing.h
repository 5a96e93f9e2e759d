// SPDX-License-Identifier: Apache-2.0
// Sessions on the tiny model, some of whose heads are constant, and their float64 reference.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <utility>

#include "engine/float64_compare.h"
#include "engine/policy_laws.h"

namespace laconic::test {

inline constexpr std::size_t kSink = 4, kRecent = 8, kBlock = kSink + kRecent;

// Full heads by a bit each, [layer][kv_head] from the lowest: 0b000110 is head 1 of layer 0 and
// head 0 of layer 1.
inline HeadSet heads_of(unsigned bits) {
  const KvShape shape = tiny_shape();
  HeadSet set(shape.layers, shape.kv_heads);
  for (std::size_t i = 0; i < shape.layers * shape.kv_heads; ++i) {
    if (bits >> i & 1) set.add(i / shape.kv_heads, i % shape.kv_heads);
  }
  return set;
}

inline constexpr unsigned kAll = 0b111111, kSome = 0b000110, kOthers = 0b011001;

class HeadWise : public ::testing::Test {
 protected:
  // The options `kv` with those heads full, from a table as published.
  KvOptions on_heads(KvOptions kv, const HeadSet& full) const {
    const std::filesystem::path path = folder_ / "adapter_weights.tsv";
    std::ofstream table(path);
    for (std::size_t l = 0; l < full.layers(); ++l) {
      for (std::size_t h = 0; h < full.kv_heads(); ++h) {
        table << (h == 0 ? "" : "\t") << (full.is_full(l, h) ? "9.5e-01" : "0.05");
      }
      table << "\n";
    }
    kv.heads = path.string();
    kv.heads_threshold = "0.5";
    kv.head_sink = kSink;
    kv.head_recent = kRecent;
    return kv;
  }

  SessionOptions session_on(unsigned full, KvOptions kv = {}, std::size_t threads = 2) const {
    kv.type = KvType::kF32;
    return session_of(on_heads(std::move(kv), heads_of(full)), threads);
  }

  static Float64Decoder masked(unsigned full) {
    Float64Decoder plain(tiny_checkpoint());
    plain.use_heads(heads_of(full), kSink, kRecent);
    return plain;
  }

  TemporaryFolder folder_;
};

}  // namespace laconic::test
