// SPDX-License-Identifier: Apache-2.0
// Heads that hold a constant number of rows: sinks and a window that counts the token itself.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "kernels/quantize.h"
#include "kv/head_cache.h"
#include "kv/page_pool.h"
#include "kv_support.h"

namespace laconic {
namespace {

constexpr std::size_t kRoomy = std::size_t{64} << 20;

// A text whose token at `position` has the same rows wherever it is written.
class Text {
 public:
  Text(DType type, std::size_t dim, std::uint64_t seed) : type_(type), dim_(dim), seed_(seed) {}

  std::vector<float> key(std::int32_t position) const { return values(position, 0); }
  std::vector<float> value(std::int32_t position) const { return values(position, 1); }
  std::vector<std::byte> stored(const std::vector<float>& values) const {
    std::vector<std::byte> out(row_bytes(type_, dim_));
    quantize_row(type_, values.data(), dim_, out.data());
    return out;
  }

  void write(HeadCache& head, std::int32_t position) const {
    head.append(position, key(position).data(), value(position).data());
  }
  // Positions [from, to).
  void write(HeadCache& head, std::int32_t from, std::int32_t to) const {
    for (std::int32_t position = from; position < to; ++position) write(head, position);
  }

  // Whether every row that the head holds is that of its position, byte for byte.
  bool stands_in(const HeadCache& head) const {
    const HeadRowsView view = head.view();
    const std::size_t bytes = row_bytes(type_, dim_);
    if (view.rows != head.size() || view.head_dim != dim_ || view.type != type_) return false;
    for (std::size_t i = 0; i < head.size(); ++i) {
      const std::byte* k = view.pages[i / kPageRows] + i % kPageRows * bytes;
      const std::byte* v = k + view.value_rows * bytes;
      const std::int32_t position = head.positions()[i];
      if (std::memcmp(k, stored(key(position)).data(), bytes) != 0) return false;
      if (std::memcmp(v, stored(value(position)).data(), bytes) != 0) return false;
    }
    return true;
  }

 private:
  std::vector<float> values(std::int32_t position, std::uint64_t part) const {
    test::SplitMix64 random(seed_ + 2 * static_cast<std::uint64_t>(position) + part);
    return random.values(dim_);
  }
  DType type_;
  std::size_t dim_;
  std::uint64_t seed_;
};

std::vector<std::int32_t> sorted_positions(const HeadCache& head) {
  std::vector<std::int32_t> out(head.positions().begin(), head.positions().end());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::int32_t> positions_in_order(const HeadCache& head) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < head.size(); ++i) {
    out.push_back(head.positions()[head.row_in_order(i)]);
  }
  return out;
}

// What a query at position `last` sees, itself included.
std::vector<std::int32_t> visible(std::int32_t sink, std::int32_t recent, std::int32_t last) {
  std::vector<std::int32_t> out;
  for (std::int32_t k = 0; k <= last; ++k) {
    if (k < sink || k > last - recent) out.push_back(k);
  }
  return out;
}

// A head of 16 sinks and 64 recent rows after a prompt and some generated tokens.
struct Decoded {
  Decoded(std::int32_t prompt, std::int32_t tokens, std::size_t sink = 16, std::size_t recent = 64)
      : pool(page_bytes(DType::kF16, 4), kRoomy), head(pool, DType::kF16, 4) {
    EXPECT_TRUE(head.reserve(static_cast<std::size_t>(prompt)));
    text.write(head, 0, prompt);
    EXPECT_TRUE(head.become_constant(sink, recent));
    text.write(head, prompt, prompt + tokens);
  }
  Text text{DType::kF16, 4, 99};
  PagePool pool;
  HeadCache head;
};

// rlkv.md T3: the rule that counts the token itself.
TEST(ConstantHead, AQuerySeesTheSinksAndTheWindowThatEndsWithIt) {
  for (const std::int32_t prompt : {1, 40, 79}) {
    EXPECT_EQ(sorted_positions(Decoded(prompt, 80 - prompt).head), visible(16, 64, 79));
    EXPECT_EQ(Decoded(prompt, 80 - prompt).head.size(), 80u);

    const std::vector<std::int32_t> at_80 = sorted_positions(Decoded(prompt, 81 - prompt).head);
    EXPECT_EQ(at_80, visible(16, 64, 80));
    EXPECT_EQ(at_80.size(), 80u);
    EXPECT_EQ(at_80[15], 15);
    EXPECT_EQ(at_80[16], 17) << "position 16 has left the window";

    const std::vector<std::int32_t> at_1000 = sorted_positions(Decoded(prompt, 1001 - prompt).head);
    EXPECT_EQ(at_1000, visible(16, 64, 1000));
    EXPECT_EQ(at_1000.size(), 80u);
    EXPECT_EQ(at_1000[16], 937);
  }
}

// rlkv.md T4.
TEST(ConstantHead, ARowsPlaceFollowsFromItsPosition) {
  const std::vector<std::pair<std::int32_t, std::size_t>> places = {
      {15, 15}, {16, 16}, {79, 79}, {80, 16}, {100, 36}, {143, 79}, {144, 16}};
  for (const std::int32_t prompt : {0, 10, 16, 50, 79, 80, 81, 100, 143, 144, 145}) {
    for (const auto& [position, place] : places) {
      if (position < prompt) continue;
      const Decoded decoded(prompt, position + 1 - prompt);
      ASSERT_EQ(decoded.head.positions()[place], position) << "after a prompt of " << prompt;
    }
    const Decoded decoded(prompt, 200 - prompt);
    std::vector<std::int32_t> ring(decoded.head.positions().begin() + 16,
                                   decoded.head.positions().end());
    std::sort(ring.begin(), ring.end());
    ASSERT_EQ(ring.size(), 64u);
    EXPECT_EQ(ring.front(), 200 - 64);
    EXPECT_EQ(ring.back(), 199);
  }
}

// rlkv.md T21: shorter than the sinks, between sinks and block, exactly the block, longer. All of
// them side by side in one pool, whose room is used again.
TEST(ConstantHead, PromptsOfAnyLengthFillTheBlock) {
  const DType type = DType::kF16;
  const std::size_t dim = 4, row = 2 * row_bytes(type, dim);
  PagePool pool(page_bytes(type, dim), kRoomy);
  const Text text(type, dim, 3);
  for (int round = 0; round < 2; ++round) {
    std::vector<HeadCache> heads;
    heads.reserve(7);
    for (const std::int32_t prompt : {0, 7, 16, 40, 80, 81, 500}) {
      HeadCache& head = heads.emplace_back(pool, type, dim);
      ASSERT_TRUE(head.reserve(static_cast<std::size_t>(prompt)));
      text.write(head, 0, prompt);
      EXPECT_EQ(head.size(), static_cast<std::size_t>(prompt)) << "the prompt is read whole";
      ASSERT_TRUE(head.become_constant(16, 64));
      EXPECT_TRUE(head.is_constant());
      EXPECT_EQ(positions_in_order(head), visible(16, 64, prompt - 1));
      for (std::int32_t position = prompt; position < prompt + 150; ++position) {
        EXPECT_EQ(head.pages_missing(1), 0u);
        ASSERT_TRUE(head.reserve(1));
        text.write(head, position);
        ASSERT_EQ(positions_in_order(head), visible(16, 64, position));
        EXPECT_EQ(head.bytes(), std::min<std::size_t>(80, head.size()) * row);
        EXPECT_EQ(head.allocated_bytes(), 80 * row);
      }
      EXPECT_TRUE(text.stands_in(head));
      EXPECT_EQ(head.pages(), 0u);
    }
    EXPECT_EQ(pool.pages_used(), 0u);
    EXPECT_EQ(pool.bytes_used(), 7 * 80 * row);
  }
  EXPECT_EQ(pool.bytes_used(), 0u);
}

// rlkv.md section 11: 2 d e [F n + (N - F) min(n, 80)].
TEST(ConstantHead, BytesFollowTheFormula) {
  const DType type = DType::kBF16;
  const std::size_t dim = 8, full = 3, all = 8;
  const Text text(type, dim, 4);
  for (const std::int32_t n : {1, 79, 80, 81, 3000}) {
    PagePool pool(page_bytes(type, dim), kRoomy);
    std::vector<HeadCache> heads;
    heads.reserve(all);
    std::size_t bytes = 0;
    for (std::size_t h = 0; h < all; ++h) {
      HeadCache& head = heads.emplace_back(pool, type, dim);
      ASSERT_TRUE(head.reserve(static_cast<std::size_t>(n)));
      text.write(head, 0, n);
      if (h >= full) {
        ASSERT_TRUE(head.become_constant(16, 64));
      }
      bytes += head.bytes();
    }
    const auto length = static_cast<std::size_t>(n);
    EXPECT_EQ(bytes,
              2 * dim * 2 * (full * length + (all - full) * std::min<std::size_t>(length, 80)));
  }
}

TEST(ConstantHead, ItsOwnPagesMakeRoomForTheBlock) {
  const std::size_t page = page_bytes(DType::kF32, 2);
  PagePool pool(page, 2 * page);
  const Text text(DType::kF32, 2, 5);
  HeadCache head(pool, DType::kF32, 2);
  ASSERT_TRUE(head.reserve(128));
  text.write(head, 0, 128);
  EXPECT_EQ(pool.bytes_free(), 0u);
  ASSERT_TRUE(head.become_constant(16, 112));
  EXPECT_EQ(pool.bytes_free(), 0u);
  EXPECT_EQ(pool.pages_used(), 0u);
  EXPECT_EQ(pool.peak_bytes(), 2 * page) << "never counted twice";
  ASSERT_TRUE(head.become_paged());
  EXPECT_EQ(pool.pages_used(), 2u);
  EXPECT_TRUE(text.stands_in(head));
}

TEST(ConstantHead, AFullPoolChangesNothing) {
  const std::size_t page = page_bytes(DType::kF32, 2);
  PagePool pool(page, 2 * page);
  const Text text(DType::kF32, 2, 6);
  std::optional<HeadCache> other(std::in_place, pool, DType::kF32, 2);
  ASSERT_TRUE(other->become_constant(0, 48));  // three quarters of a page
  HeadCache head(pool, DType::kF32, 2);
  ASSERT_TRUE(head.reserve(10));
  text.write(head, 0, 10);

  // 81 rows are a page and 17 rows; beside the other's 48 there is room for 80.
  EXPECT_FALSE(head.become_constant(16, 65));
  EXPECT_FALSE(head.is_constant());
  EXPECT_EQ(head.pages(), 1u);
  EXPECT_EQ(pool.bytes_used(), page + page * 3 / 4);
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  EXPECT_FALSE(head.become_constant(huge, 1));
  EXPECT_FALSE(head.become_constant(huge / 4, huge / 4));
  ASSERT_TRUE(head.become_constant(16, 64));
  EXPECT_EQ(pool.bytes_free(), 0u);

  text.write(head, 10, 100);
  EXPECT_FALSE(head.become_paged()) << "80 rows need two pages";
  EXPECT_TRUE(head.is_constant());
  EXPECT_EQ(pool.bytes_free(), 0u);
  EXPECT_EQ(positions_in_order(head), visible(16, 64, 99));
  EXPECT_TRUE(text.stands_in(head));

  other.reset();
  ASSERT_TRUE(head.become_paged());
  EXPECT_EQ(head.pages(), 2u);
  EXPECT_TRUE(text.stands_in(head));
}

TEST(ConstantHead, MovingKeepsTheBlockOnce) {
  PagePool pool(page_bytes(DType::kF16, 2), kRoomy);
  const Text text(DType::kF16, 2, 7);
  const std::size_t bytes = 9 * 2 * row_bytes(DType::kF16, 2);
  {
    HeadCache head(pool, DType::kF16, 2);
    ASSERT_TRUE(head.become_constant(4, 5));
    text.write(head, 0, 11);
    HeadCache moved(std::move(head));
    EXPECT_TRUE(moved.is_constant());
    EXPECT_EQ(moved.allocated_bytes(), bytes);
    EXPECT_EQ(pool.bytes_used(), bytes);
    text.write(moved, 11, 30);
    EXPECT_EQ(positions_in_order(moved), visible(4, 5, 29));
    EXPECT_TRUE(text.stands_in(moved));
  }
  EXPECT_EQ(pool.bytes_used(), 0u);
}

TEST(ConstantHead, AskingTwiceChangesNothing) {
  Decoded decoded(100, 30);
  const std::vector<std::int32_t> before(decoded.head.positions().begin(),
                                         decoded.head.positions().end());
  ASSERT_TRUE(decoded.head.become_constant(16, 64));
  EXPECT_TRUE(std::equal(before.begin(), before.end(), decoded.head.positions().begin()));
  ASSERT_TRUE(decoded.head.become_paged());
  ASSERT_TRUE(decoded.head.become_paged());
  EXPECT_EQ(positions_in_order(decoded.head), visible(16, 64, 129));
}

// Constant or in pages, with rows written from floats or as stored: the state is the same, and a
// head that goes there and back has every row where it was.
TEST(ConstantHead, ThereAndBackEqualsNeverGone) {
  for (const std::int32_t prompt : {20, 80, 130}) {
    Decoded stayed(prompt, 70), gone(prompt, 0);
    for (std::int32_t position = prompt; position < prompt + 70; ++position) {
      if (position % 11 == 0) {
        ASSERT_TRUE(gone.head.become_paged());
        ASSERT_TRUE(gone.head.become_constant(16, 64));
      }
      const Text& text = gone.text;
      gone.head.append_stored(position, text.stored(text.key(position)).data(),
                              text.stored(text.value(position)).data());
    }
    EXPECT_TRUE(std::equal(stayed.head.positions().begin(), stayed.head.positions().end(),
                           gone.head.positions().begin(), gone.head.positions().end()));
    EXPECT_TRUE(gone.text.stands_in(gone.head));
  }
}

// Against a plain list of positions, over turns of prompt and answer.
RC_GTEST_PROP(ConstantHeadProperty, EqualsAListOfPositions, (std::uint64_t seed)) {
  const DType type = *rc::gen::element(DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0);
  const std::size_t dim = test::whole_blocks(type, *rc::gen::inRange<std::size_t>(1, 20));
  const auto sink = *rc::gen::inRange<std::size_t>(0, 40);
  const auto recent = *rc::gen::inRange<std::size_t>(1, 150);
  const bool contiguous = *rc::gen::arbitrary<bool>();
  const std::size_t rows = sink + recent, row = 2 * row_bytes(type, dim);
  test::SplitMix64 random(seed);
  const Text text(type, dim, seed);
  PagePool pool(page_bytes(type, dim), kRoomy);
  {
    HeadCache head(pool, type, dim);
    std::vector<std::int32_t> list;
    std::int32_t next = 0;
    const auto write = [&] {
      text.write(head, next);
      list.push_back(next);
      next += contiguous ? 1 : 1 + static_cast<std::int32_t>(random.bits() % 3);
    };
    const auto trim = [&] {
      while (list.size() > rows) list.erase(list.begin() + static_cast<std::ptrdiff_t>(sink));
    };
    // Not in RC_ASSERT itself, which would print both lists whether equal or not.
    const auto holds_list = [&] { return positions_in_order(head) == list; };
    for (int turn = 0; turn < 3; ++turn) {
      RC_ASSERT(head.become_paged());
      RC_ASSERT(holds_list());
      RC_ASSERT(std::is_sorted(head.positions().begin(), head.positions().end()));
      const std::size_t prompt = random.bits() % 300;
      RC_ASSERT(head.reserve(prompt));
      for (std::size_t i = 0; i < prompt; ++i) write();
      RC_ASSERT(holds_list());
      RC_ASSERT(text.stands_in(head));
      RC_ASSERT(pool.bytes_used() == head.pages() * pool.page_bytes());

      RC_ASSERT(head.become_constant(sink, recent));
      trim();
      const std::size_t tokens = random.bits() % 300;
      for (std::size_t i = 0; i < tokens; ++i) {
        RC_ASSERT(holds_list());
        write();
        trim();
      }
      RC_ASSERT(holds_list());
      RC_ASSERT(text.stands_in(head));
      RC_ASSERT(head.bytes() == list.size() * row);
      RC_ASSERT(head.allocated_bytes() == rows * row);
      RC_ASSERT(pool.bytes_used() == rows * row);
      for (std::size_t i = 0; contiguous && i < head.size(); ++i) {
        const auto position = static_cast<std::size_t>(head.positions()[i]);
        RC_ASSERT(i == (position < sink ? position : sink + (position - sink) % recent));
      }
    }
  }
  RC_ASSERT(pool.bytes_used() == 0u);
}

// Attention over the block equals that over a list of the same rows, in double.
RC_GTEST_PROP(ConstantHeadProperty, AttentionEqualsThatOverTheVisibleRows, (std::uint64_t seed)) {
  const DType type = *rc::gen::element(DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0);
  const std::size_t dim = test::whole_blocks(type, *rc::gen::element<std::size_t>(1, 7, 16, 64));
  const auto sink = *rc::gen::inRange<std::size_t>(0, 20);
  const auto recent = *rc::gen::inRange<std::size_t>(1, 150);
  const auto last = *rc::gen::inRange<std::int32_t>(0, 400);
  const auto prompt = *rc::gen::inRange<std::int32_t>(0, last + 1);
  const Text text(type, dim, seed);
  PagePool pool(page_bytes(type, dim), kRoomy);
  HeadCache head(pool, type, dim);
  RC_ASSERT(head.reserve(static_cast<std::size_t>(prompt)));
  text.write(head, 0, prompt);
  RC_ASSERT(head.become_constant(sink, recent));
  text.write(head, prompt, last + 1);

  test::SplitMix64 random(seed + 1);
  const std::size_t queries = 3;
  const std::vector<float> q = random.values(queries * dim, 2.0);
  const std::vector<std::size_t> sees(queries, head.size());
  std::vector<float> out(queries * dim), scratch(attend_scratch_floats(queries, dim));
  attend(head.view(), q.data(), sees.data(), queries, 0.5f, out.data(), scratch.data());

  const auto widened = [&](const std::vector<float>& values) {
    std::vector<float> f32(dim);
    dequantize(type, text.stored(values).data(), dim, f32.data());
    return f32;
  };
  for (std::size_t i = 0; i < queries; ++i) {
    double total = 0;
    std::vector<double> sum(dim, 0.0);
    for (const std::int32_t position :
         visible(static_cast<std::int32_t>(sink), static_cast<std::int32_t>(recent), last)) {
      const std::vector<float> k = widened(text.key(position)), v = widened(text.value(position));
      double dot = 0;
      for (std::size_t d = 0; d < dim; ++d) dot += double{q[i * dim + d]} * double{k[d]};
      const double weight = std::exp(0.5 * dot);
      total += weight;
      for (std::size_t d = 0; d < dim; ++d) sum[d] += weight * double{v[d]};
    }
    for (std::size_t d = 0; d < dim; ++d) {
      RC_ASSERT(std::abs(double{out[i * dim + d]} - sum[d] / total) < 1e-5);
    }
  }
}

}  // namespace
}  // namespace laconic
