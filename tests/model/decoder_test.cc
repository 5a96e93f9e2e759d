// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.h"

#include <gtest/gtest.h>

#include "model/convert.h"
#include "test_paths.h"

namespace laconic {
namespace {

using test::TemporaryFolder;

// A small random model and one sequence of it.
struct Tiny {
  explicit Tiny(DType type, std::size_t threads_count = 2)
      : checkpoint((make_random_model(known_model("tiny"), folder / "m.gguf", type, {}, 7),
                    Checkpoint::open(folder / "m.gguf"))),
        weights(load_weights(checkpoint)),
        threads(threads_count),
        decoder(weights, threads),
        pool(page_bytes(DType::kF16, weights.config.head_dim), std::size_t{64} << 20),
        cache(pool, weights.config.kv_shape(), {}) {}

  TemporaryFolder folder;
  Checkpoint checkpoint;
  Weights weights;
  Threads threads;
  Decoder decoder;
  PagePool pool;
  SequenceCache cache;
};

TEST(Decoder, ABatchWithoutRowsGivesNothing) {
  for (const DType type : {DType::kF32, DType::kQ8_0}) {
    Tiny tiny(type);
    EXPECT_TRUE(tiny.decoder.forward({}).empty());
    const Segment nothing{&tiny.cache, {}, RowKind::kPrompt, LogitRows::kAll};
    EXPECT_TRUE(tiny.decoder.forward({&nothing, 1}).empty());
    EXPECT_EQ(tiny.cache.next_position(), 0);
  }
}

}  // namespace
}  // namespace laconic
