// SPDX-License-Identifier: Apache-2.0
#include "kv/head_cache.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>

#include "kernels/quantize.h"
#include "kv/page_pool.h"
#include "kv_support.h"

namespace laconic {
namespace {

// Small pools hold what they use; large ones are read faster from huge pages. Nothing is touched.
TEST(PagePool, LargePoolsTakeHugePages) {
  constexpr std::size_t kPage = 64 << 10, kPagesOfASlab = 64, kSmallSlabs = 16;
  PagePool pool(kPage, std::size_t{1} << 30);
  for (std::size_t i = 0; i < kSmallSlabs * kPagesOfASlab; ++i) ASSERT_NE(pool.allocate(), nullptr);
  for (std::size_t slab = 0; slab < 4; ++slab) {
    const auto first = reinterpret_cast<std::uintptr_t>(pool.allocate());
    EXPECT_EQ(first % (2 << 20), 0u) << slab;
    for (std::size_t i = 1; i < kPagesOfASlab; ++i) pool.allocate();
  }
}

TEST(PagePool, CountsPagesAgainstTheLimit) {
  PagePool pool(640, 3 * 640 + 639);
  EXPECT_EQ(pool.pages_limit(), 3u);
  std::set<std::byte*> pages;
  for (int i = 0; i < 3; ++i) {
    std::byte* page = pool.allocate();
    ASSERT_NE(page, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(page) % 64, 0u);
    std::memset(page, i, 640);
    pages.insert(page);
  }
  EXPECT_EQ(pages.size(), 3u);
  EXPECT_EQ(pool.allocate(), nullptr);
  EXPECT_EQ(pool.pages_free(), 0u);

  pool.release(*pages.begin());
  EXPECT_EQ(pool.pages_used(), 2u);
  EXPECT_EQ(pool.allocate(), *pages.begin()) << "a page given back is used again";
  EXPECT_EQ(pool.peak_pages(), 3u);
}

TEST(PagePool, PagesOfOddSizeAreAlignedAndApart) {
  PagePool pool(100, 1 << 20);
  std::byte* a = pool.allocate();
  std::byte* b = pool.allocate();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % 64, 0u);
  EXPECT_GE(std::abs(b - a), 100);
}

TEST(PagePool, ALimitBelowOnePageHoldsNothing) {
  PagePool pool(4096, 4095);
  EXPECT_EQ(pool.allocate(), nullptr);
}

TEST(PagePool, AHugeLimitCostsNothing) {
  PagePool pool(4096, std::numeric_limits<std::size_t>::max());
  EXPECT_NE(pool.allocate(), nullptr);
  EXPECT_EQ(pool.pages_used(), 1u);
}

TEST(PagePool, CountsBlocksAgainstTheSameLimit) {
  PagePool pool(640, 3 * 640);
  ASSERT_TRUE(pool.reserve_block(1));
  EXPECT_EQ(pool.bytes_free(), 3u * 640 - 1);
  EXPECT_EQ(pool.pages_free(), 2u) << "only whole pages can be handed out";
  std::byte* page = pool.allocate();
  ASSERT_NE(pool.allocate(), nullptr);
  EXPECT_EQ(pool.allocate(), nullptr);
  EXPECT_EQ(pool.pages_limit(), 3u);
  EXPECT_EQ(pool.bytes_used(), 2u * 640 + 1);

  EXPECT_FALSE(pool.reserve_block(640));
  EXPECT_TRUE(pool.reserve_block(639));
  EXPECT_EQ(pool.bytes_free(), 0u);
  EXPECT_TRUE(pool.reserve_block(0));
  EXPECT_FALSE(pool.reserve_block(1));
  EXPECT_FALSE(pool.reserve_block(std::numeric_limits<std::size_t>::max()));

  pool.release(page);
  EXPECT_EQ(pool.pages_free(), 1u);
  pool.release_block(640);
  EXPECT_EQ(pool.pages_free(), 2u);
  EXPECT_EQ(pool.bytes_used(), 640u);
  EXPECT_EQ(pool.peak_bytes(), 3u * 640);
  EXPECT_EQ(pool.peak_pages(), 2u);
}

TEST(RowMemory, IsAlignedAndRefusesTheAbsurd) {
  for (const std::size_t bytes : {1u, 63u, 64u, 65u, 10000u}) {
    const RowMemory memory = row_memory(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % 64, 0u);
    std::memset(memory.get(), 7, bytes);
  }
  EXPECT_EQ(row_memory(std::numeric_limits<std::size_t>::max()), nullptr);
}

TEST(HeadCache, ReserveIsAllOrNothing) {
  PagePool pool(page_bytes(DType::kF32, 2), 2 * page_bytes(DType::kF32, 2));
  HeadCache head(pool, DType::kF32, 2);
  EXPECT_TRUE(head.reserve(0));
  EXPECT_EQ(head.pages(), 0u);
  EXPECT_TRUE(head.reserve(1));
  EXPECT_TRUE(head.reserve(64));
  EXPECT_EQ(head.pages(), 1u);
  EXPECT_FALSE(head.reserve(129));
  EXPECT_EQ(head.pages(), 1u);
  EXPECT_TRUE(head.reserve(128));
  EXPECT_EQ(pool.pages_free(), 0u);
}

TEST(HeadCache, MovingKeepsThePagesOnce) {
  PagePool pool(page_bytes(DType::kF16, 2), 1 << 20);
  {
    HeadCache head(pool, DType::kF16, 2);
    ASSERT_TRUE(head.reserve(100));
    const HeadCache moved(std::move(head));
    EXPECT_EQ(moved.pages(), 2u);
    EXPECT_EQ(moved.allocated_bytes(), 2 * pool.page_bytes());
    EXPECT_EQ(pool.pages_used(), 2u);
  }
  EXPECT_EQ(pool.pages_used(), 0u);
}

// Against a plain list of rows: appends and compactions in any order.
RC_GTEST_PROP(HeadCacheProperty, EqualsAListOfRows, (std::uint64_t seed)) {
  struct Row {
    std::int32_t position;
    std::vector<std::byte> k, v;
  };
  const DType type = *rc::gen::element(DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0);
  const std::size_t dim = test::whole_blocks(type, *rc::gen::inRange<std::size_t>(1, 20));
  const std::size_t bytes = row_bytes(type, dim);
  test::SplitMix64 random(seed);
  PagePool pool(page_bytes(type, dim), 64 << 20);
  {
    HeadCache head(pool, type, dim);
    std::vector<Row> rows;
    std::int32_t position = 0;
    for (int round = 0; round < 6; ++round) {
      const std::size_t more = random.bits() % 200;
      RC_ASSERT(head.reserve(more));
      for (std::size_t i = 0; i < more; ++i) {
        const std::vector<float> k = random.values(dim), v = random.values(dim);
        position += 1 + static_cast<std::int32_t>(random.bits() % 3);
        Row row{position, std::vector<std::byte>(bytes), std::vector<std::byte>(bytes)};
        quantize_row(type, k.data(), dim, row.k.data());
        quantize_row(type, v.data(), dim, row.v.data());
        if (random.bits() % 2 == 0) {
          head.append(position, k.data(), v.data());
        } else {
          head.append_stored(position, row.k.data(), row.v.data());
        }
        rows.push_back(std::move(row));
      }
      // From keeping nothing to keeping all.
      const std::uint64_t threshold = random.bits() % 5;
      std::vector<std::int32_t> keep;
      std::vector<Row> kept;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (random.bits() % 4 >= threshold) continue;
        keep.push_back(static_cast<std::int32_t>(i));
        kept.push_back(rows[i]);
      }
      rows = kept;
      head.compact(keep);

      RC_ASSERT(head.size() == rows.size());
      RC_ASSERT(head.pages() == (rows.size() + kPageRows - 1) / kPageRows);
      RC_ASSERT(head.bytes() == rows.size() * 2 * bytes);
      RC_ASSERT(head.allocated_bytes() == head.pages() * pool.page_bytes());
      RC_ASSERT(pool.pages_used() == head.pages());
      const HeadRowsView view = head.view();
      RC_ASSERT(view.rows == rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::byte* page = view.pages[i / kPageRows];
        const std::size_t slot = i % kPageRows;
        RC_ASSERT(head.row_in_order(i) == i);
        RC_ASSERT(head.positions()[i] == rows[i].position);
        RC_ASSERT(std::memcmp(page + slot * bytes, rows[i].k.data(), bytes) == 0);
        RC_ASSERT(std::memcmp(page + (kPageRows + slot) * bytes, rows[i].v.data(), bytes) == 0);
      }
    }
  }
  RC_ASSERT(pool.pages_used() == 0u);
}

}  // namespace
}  // namespace laconic
