// SPDX-License-Identifier: Apache-2.0
#include "engine/ranking_following.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace laconic::test {
namespace {

// Places of the positions of `kept` among the rows held; one too many where a row is not there.
std::vector<std::size_t> places_of(const std::vector<std::int32_t>& kept,
                                   const std::vector<Float64Decoder::Row>& held) {
  std::vector<std::size_t> places;
  for (const std::int32_t position : kept) {
    const auto found = std::find_if(held.begin(), held.end(),
                                    [&](const auto& row) { return row.position == position; });
    EXPECT_NE(found, held.end()) << "position " << position << " was not held";
    places.push_back(static_cast<std::size_t>(found - held.begin()));
  }
  return places;
}

}  // namespace

bool Compression::stayed(std::size_t from, std::size_t to, std::size_t begin) const {
  if (begin + (to - from) > chosen.size()) return false;
  for (std::size_t i = from; i < to; ++i) {
    if (chosen[begin + i - from] != i) return false;
  }
  return true;
}

std::vector<std::int32_t> Compression::ranked(std::size_t begin, std::size_t end) const {
  std::vector<std::int32_t> out;
  for (std::size_t i = begin; i < end; ++i) {
    out.push_back(static_cast<std::int32_t>(chosen[i] - first()));
  }
  return out;
}

void follow(const KvOptions& kv, std::size_t prompt, std::size_t tokens, Float64Decoder& plain,
            const std::function<void(const Compression&)>& check) {
  KeepLists lists;
  Session session(tiny_model(), session_of(kv));
  trace_into(session, lists);
  const Generation got = session.generate(random_ids(prompt, 21), forced(tokens, 22));
  const Compressions due = compressions_of(kv, prompt, tokens);
  const KvShape shape = tiny_shape();
  ASSERT_FALSE(due.empty());
  ASSERT_EQ(lists.size(), due.size() * shape.layers * shape.kv_heads);

  std::size_t seen = 0;
  expect_answer(plain, got, kClose, [&](std::size_t step) {
    if (seen == due.size() || due[seen].first != step) return;
    SCOPED_TRACE("after token " + std::to_string(step));
    for (const bool checking : {true, false}) {  // a ranking may look at all heads of a layer
      for (std::size_t l = 0; l < shape.layers; ++l) {
        for (std::size_t h = 0; h < shape.kv_heads; ++h) {
          const std::vector<std::int32_t>& kept = lists.at({0, step, l, h});
          if (!checking) {
            plain.keep(l, h, kept);
            continue;
          }
          EXPECT_EQ(kept.size(), due[seen].second);
          check({plain, kv, l, h, prompt, places_of(kept, plain.held(l, h))});
        }
      }
    }
    ++seen;
  });
  EXPECT_EQ(seen, due.size());
}

}  // namespace laconic::test
