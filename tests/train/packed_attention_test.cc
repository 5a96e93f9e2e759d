// SPDX-License-Identifier: Apache-2.0
#include "train/packed_attention.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <limits>

#include "twins.h"

namespace laconic::train {
namespace {

using test::expect_close;
using test::on_every_target;
using test::random_values;
using test::with_threads;

using Starts = std::vector<std::int64_t>;

template <typename T>
struct Forward {
  std::vector<T> out;
  std::vector<float> lse;
  bool operator==(const Forward&) const = default;
};

template <typename T>
struct Gradients {
  std::vector<T> q, k, v;
  bool operator==(const Gradients&) const = default;
};

// One layer's attention with random inputs; results start as rubbish, so that what is not written
// shows.
template <typename T>
struct Case {
  Case(AttentionShape the_shape, Starts the_starts, std::uint32_t seed, float spread = 1.0f)
      : shape(the_shape), starts(std::move(the_starts)) {
    const auto tokens = static_cast<std::size_t>(starts.back());
    const std::size_t queries = tokens * shape.heads * shape.head_dim;
    const std::size_t keys = tokens * shape.kv_heads * shape.head_dim;
    q = random_values<T>(queries, seed, spread);
    k = random_values<T>(keys, seed + 1, spread);
    v = random_values<T>(keys, seed + 2);
    d_out = random_values<T>(queries, seed + 3);
  }

  Forward<T> blank_forward() const {
    return {random_values<T>(q.size(), 99, 1e9f),
            random_values<float>(q.size() / shape.head_dim, 98, 1e9f)};
  }
  Gradients<T> blank_gradients() const {
    return {random_values<T>(q.size(), 97, 1e9f), random_values<T>(k.size(), 96, 1e9f),
            random_values<T>(k.size(), 95, 1e9f)};
  }

  Forward<T> forward(SimdTarget target = best_simd_target()) const {
    Forward<T> f = blank_forward();
    packed_attention_forward(shape, starts, q.data(), k.data(), v.data(), f.out.data(),
                             f.lse.data(), target);
    return f;
  }
  Forward<T> forward_twin() const {
    Forward<T> f = blank_forward();
    reference::packed_attention_forward(shape, starts, q.data(), k.data(), v.data(), f.out.data(),
                                        f.lse.data());
    return f;
  }
  Gradients<T> backward(const Forward<T>& f, SimdTarget target = best_simd_target()) const {
    Gradients<T> g = blank_gradients();
    packed_attention_backward(shape, starts, q.data(), k.data(), v.data(), f.out.data(),
                              f.lse.data(), d_out.data(), g.q.data(), g.k.data(), g.v.data(),
                              target);
    return g;
  }
  Gradients<T> backward_twin(const Forward<T>& f) const {
    Gradients<T> g = blank_gradients();
    reference::packed_attention_backward(shape, starts, q.data(), k.data(), v.data(), f.out.data(),
                                         f.lse.data(), d_out.data(), g.q.data(), g.k.data(),
                                         g.v.data());
    return g;
  }

  void expect_twins_agree() const {
    const Forward<T> want = forward_twin();
    const Gradients<T> want_gradients = backward_twin(want);
    on_every_target([&](SimdTarget target) {
      const Forward<T> got = forward(target);
      expect_close(got.out, want.out, "out");
      expect_close(got.lse, want.lse, "lse");
      const Gradients<T> gradients = backward(want, target);
      expect_close(gradients.q, want_gradients.q, "d_q", 1e-4);
      expect_close(gradients.k, want_gradients.k, "d_k", 1e-4);
      expect_close(gradients.v, want_gradients.v, "d_v", 1e-4);
    });
  }

  AttentionShape shape;
  Starts starts;
  std::vector<T> q, k, v, d_out;
};

template <typename T>
class PackedAttention : public testing::Test {};
using Storage = testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(PackedAttention, Storage);

TYPED_TEST(PackedAttention, AgreesWithItsTwin) {
  const AttentionShape pocket = {8, 4, 32, 0.18f};
  Case<TypeParam>(pocket, {0, 1}, 1).expect_twins_agree();
  Case<TypeParam>(pocket, {0, 1, 2, 50, 50, 83}, 2).expect_twins_agree();
  Case<TypeParam>({2, 1, 32, 0.18f}, {0, 300, 301, 350}, 3).expect_twins_agree();
}

TYPED_TEST(PackedAttention, TakesOddShapes) {
  Case<TypeParam>({3, 1, 7, 0.4f}, {0, 17, 67}, 4).expect_twins_agree();
  Case<TypeParam>({1, 1, 1, 1.0f}, {0, 5, 60}, 5).expect_twins_agree();
  Case<TypeParam>({4, 4, 80, 0.11f}, {0, 33, 100}, 6).expect_twins_agree();
  Case<TypeParam>({5, 1, 128, 0.09f}, {0, 49}, 7).expect_twins_agree();
}

TYPED_TEST(PackedAttention, DoesNothingWithoutTokens) {
  const Case<TypeParam> empty({8, 4, 32, 0.18f}, {0}, 1);
  EXPECT_TRUE(empty.forward().out.empty());
  EXPECT_TRUE(empty.backward(empty.forward()).q.empty());
}

TYPED_TEST(PackedAttention, ThreadsDoNotMatter) {
  const Case<TypeParam> c({4, 2, 32, 0.18f}, {0, 400, 401, 700, 777}, 8);
  Forward<TypeParam> f[3];
  Gradients<TypeParam> g[3];
  for (int i = 0; i < 3; ++i)
    with_threads(i + 1, [&] {
      f[i] = c.forward();
      g[i] = c.backward(f[i]);
    });
  EXPECT_TRUE(f[0] == f[1] && f[0] == f[2]);
  EXPECT_TRUE(g[0] == g[1] && g[0] == g[2]);
}

TYPED_TEST(PackedAttention, NeighboursDoNotMatter) {
  const Case<TypeParam> together({4, 2, 32, 0.18f}, {0, 40, 100}, 9);
  Case<TypeParam> alone = together;
  alone.starts = {0, 60};
  const auto drop = [](auto& values, std::size_t n) {
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n));
  };
  drop(alone.q, 40 * 4 * 32);
  drop(alone.d_out, 40 * 4 * 32);
  drop(alone.k, 40 * 2 * 32);
  drop(alone.v, 40 * 2 * 32);
  Forward<TypeParam> both = together.forward();
  Gradients<TypeParam> both_gradients = together.backward(both);
  const Forward<TypeParam> one = alone.forward();
  const Gradients<TypeParam> one_gradients = alone.backward(one);
  drop(both.out, 40 * 4 * 32);
  drop(both_gradients.q, 40 * 4 * 32);
  drop(both_gradients.k, 40 * 2 * 32);
  EXPECT_EQ(both.out, one.out);
  EXPECT_EQ(both_gradients.q, one_gradients.q);
  EXPECT_EQ(both_gradients.k, one_gradients.k);
}

// Scores of several hundred: exponents must neither overflow nor lose the largest.
TYPED_TEST(PackedAttention, TakesLargeScores) {
  const Case<TypeParam> c({2, 1, 32, 1.0f}, {0, 90}, 10, 8.0f);
  const Forward<TypeParam> want = c.forward_twin();
  on_every_target([&](SimdTarget target) {
    expect_close(c.forward(target).out, want.out, "out", 1e-3);
    expect_close(c.forward(target).lse, want.lse, "lse");
  });
}

TEST(PackedAttentionNan, Shows) {
  Case<float> c({2, 1, 32, 0.18f}, {0, 90}, 11);
  c.q[50 * 2 * 32 + 3] = std::numeric_limits<float>::quiet_NaN();
  on_every_target([&](SimdTarget target) {
    const Forward<float> f = c.forward(target);
    for (std::size_t e = 0; e < 32; ++e) EXPECT_TRUE(std::isnan(f.out[50 * 2 * 32 + e]));
    EXPECT_TRUE(std::isfinite(f.out[51 * 2 * 32]));
    EXPECT_TRUE(std::isnan(c.backward(f, target).k[0]));
  });
}

// The slope of sum(out * d_out) along a random direction, from both sides.
TEST(PackedAttentionGradient, IsTheSlope) {
  const Case<float> c({4, 2, 8, 0.35f}, {0, 5, 6, 30}, 12);
  const Gradients<float> g = c.backward(c.forward());
  const auto loss = [](const Case<float>& at) {
    const Forward<float> f = at.forward_twin();
    double sum = 0.0;
    for (std::size_t i = 0; i < f.out.size(); ++i)
      sum += static_cast<double>(f.out[i]) * static_cast<double>(at.d_out[i]);
    return sum;
  };
  const auto check = [&](std::vector<float> Case<float>::*input, const std::vector<float>& got) {
    const std::vector<float> direction = random_values<float>(got.size(), 13);
    const float step = 1e-2f;
    Case<float> up = c, down = c;
    double want = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      (up.*input)[i] += step * direction[i];
      (down.*input)[i] -= step * direction[i];
      want += static_cast<double>(got[i]) * static_cast<double>(direction[i]);
    }
    EXPECT_NEAR((loss(up) - loss(down)) / (2.0 * static_cast<double>(step)), want,
                2e-3 * (1.0 + std::abs(want)));
  };
  check(&Case<float>::q, g.q);
  check(&Case<float>::k, g.k);
  check(&Case<float>::v, g.v);
}

RC_GTEST_PROP(PackedAttentionProperty, AgreesWithItsTwinOnRandomShapes, ()) {
  AttentionShape shape;
  shape.kv_heads = *rc::gen::inRange<std::size_t>(1, 4);
  shape.heads = shape.kv_heads * *rc::gen::inRange<std::size_t>(1, 5);
  shape.head_dim = *rc::gen::inRange<std::size_t>(1, 50);
  shape.scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  Starts starts = {0};
  const auto texts = *rc::gen::inRange<std::size_t>(0, 4);
  while (starts.size() <= texts)
    starts.push_back(starts.back() + *rc::gen::inRange<std::int64_t>(0, 70));
  with_threads(1, [&] {
    Case<float>(shape, starts, 20).expect_twins_agree();
    Case<std::uint16_t>(shape, starts, 21).expect_twins_agree();
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

}  // namespace
}  // namespace laconic::train
