// SPDX-License-Identifier: Apache-2.0
// RPC is the full cache up to and including its first trigger step; rows that stay are untouched.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>

#include "engine/generation_compare.h"
#include "kernels/attention.h"
#include "kv/page_pool.h"
#include "kv/sequence_cache.h"

namespace laconic::test {
namespace {

KvOptions random_rpc() {
  const auto interval = *rc::gen::inRange<std::size_t>(2, 40);
  KvOptions kv = small_rpc(interval, *rc::gen::inRange<std::size_t>(1, 20), 1.0);
  kv.ratio =
      *rc::gen::element(2.0, static_cast<double>(interval) / 1.5, static_cast<double>(interval));
  if (kv.ratio < 1.0) kv.ratio = 1.0;
  kv.granularity = *rc::gen::element(KvGranularity::kLayer, KvGranularity::kKvHead);
  kv.selector = *rc::gen::element(KvSelector::kExact, KvSelector::kReference, KvSelector::kLast);
  kv.type = *rc::gen::element(KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8_0);
  kv.protect_prompt = *rc::gen::arbitrary<bool>();
  return kv;
}

RC_GTEST_PROP(RpcProperty, EqualsFullUpToTheFirstTrigger, (std::uint32_t seed)) {
  const KvOptions kv = random_rpc();
  const auto prompt = random_ids(*rc::gen::inRange<std::size_t>(1, 40), seed);
  const std::size_t trigger = kv.window + kv.interval;  // generated token that is followed by one
  const GenerateOptions generate = forced(trigger + 1, seed ^ 0x5bd1e995u);
  SessionOptions options = f32_rows(1);
  options.kv.type = kv.type;
  const Generation full = Session(tiny_model(), options).generate(prompt, generate);
  options.kv = kv;
  const Generation rpc = Session(tiny_model(), options).generate(prompt, generate);

  // logits[n] were computed when the n-th generated token was read.
  RC_ASSERT(full.logits.size() == trigger + 2);
  RC_ASSERT(rpc.logits.size() == trigger + 2);
  for (std::size_t step = 0; step <= trigger; ++step) {
    RC_ASSERT(std::memcmp(rpc.logits[step].data(), full.logits[step].data(),
                          full.logits[step].size() * sizeof(float)) == 0);
  }
  // The very next step reads fewer rows, and shows it.
  RC_ASSERT(rpc.kv.compressions == 1u);
  RC_ASSERT(rpc.logits[trigger + 1] != full.logits[trigger + 1]);
}

// The key of a row that stays is neither rotated anew nor rounded again.
RC_GTEST_PROP(RpcProperty, KeptKeysGiveTheSameLogits, (std::uint32_t seed)) {
  const KvOptions kv = random_rpc();
  const KvShape shape{2, 4, 2, kv.type == KvType::kQ8_0 ? 32u : 24u};
  PagePool pool(page_bytes(kv_dtype(kv.type), shape.head_dim), std::size_t{16} << 20);
  SequenceCache cache(pool, shape, kv);
  const auto values = [&](std::size_t count) {
    std::vector<float> out;
    for (const std::int32_t id : random_ids(count, seed++, 20001)) {
      out.push_back(static_cast<float>(id) / 10000.0f - 1.0f);
    }
    return out;
  };
  const auto append = [&](bool prompt) {
    RC_ASSERT(cache.reserve(1, prompt));
    for (std::size_t l = 0; l < shape.layers; ++l) {
      for (std::size_t h = 0; h < shape.kv_heads; ++h) {
        const auto row = values(2 * shape.head_dim);
        cache.head(l, h).append(cache.next_position(), row.data(), row.data() + shape.head_dim);
      }
    }
    cache.advance(1);
  };
  const std::size_t query_rows = 3;
  const auto query = values(query_rows * shape.head_dim);
  // Logits of the key at each true position, [query_rows] each.
  const auto logits_by_position = [&](std::size_t l, std::size_t h) {
    const HeadCache& head = cache.head(l, h);
    std::vector<float> flat(query_rows * head.size());
    key_logits(head.view(), 0, head.size(), query.data(), query_rows, 0.2f, flat.data());
    std::map<std::int32_t, std::vector<float>> out;
    for (std::size_t r = 0; r < head.size(); ++r) {
      for (std::size_t q = 0; q < query_rows; ++q) {
        out[head.positions()[r]].push_back(flat[q * head.size() + r]);
      }
    }
    return out;
  };

  const auto prompt = *rc::gen::inRange<std::size_t>(0, 80);
  for (std::size_t i = 0; i < prompt; ++i) append(/*prompt=*/true);
  cache.begin_generation();
  std::size_t evictions = 0;
  for (std::size_t i = 0; i < kv.window + 3 * kv.interval; ++i) {
    append(/*prompt=*/false);
    if (cache.wants_queries(/*prompt=*/false)) {
      const std::int32_t position = cache.next_position() - 1;
      for (std::size_t l = 0; l < shape.layers; ++l) {
        cache.observe_queries(l, position, values(shape.heads * shape.head_dim).data());
      }
    }
    if ((i + 1 - kv.window) % kv.interval != 0 || i + 1 <= kv.window) {
      RC_ASSERT(!cache.end_step());
      continue;
    }
    const auto before = logits_by_position(1, 1);
    if (cache.end_step()) ++evictions;
    const auto after = logits_by_position(1, 1);
    RC_ASSERT(after.size() == cache.head(1, 1).size());
    for (const auto& [position, logits] : after) {
      RC_ASSERT(before.count(position) == 1u);
      RC_ASSERT(
          std::memcmp(logits.data(), before.at(position).data(), query_rows * sizeof(float)) == 0);
    }
  }
  RC_ASSERT(evictions == 3u);
}

}  // namespace
}  // namespace laconic::test
