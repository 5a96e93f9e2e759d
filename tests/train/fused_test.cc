// SPDX-License-Identifier: Apache-2.0
#include "train/fused.h"

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

using Floats = std::vector<float>;
constexpr float kEpsilon = 1e-6f;

// Each operation as a function from inputs to everything that it writes. `twin` chooses the plain
// loops; results start as rubbish, except sums that are added to.
struct How {
  bool twin = false;
  SimdTarget target = best_simd_target();
};

template <typename TX, typename TY>
struct NormResult {
  std::vector<TY> y;
  Floats inverse_rms;
  std::vector<TX> d_x;
  Floats d_weight;
  bool operator==(const NormResult&) const = default;
};

template <typename T>
NormResult<float, T> rms_norm(std::size_t rows, std::size_t n, How how) {
  const auto x = random_values<float>(rows * n, 1, 3.0f);
  const auto weight = random_values<float>(n, 2);
  const auto d_y = random_values<T>(rows * n, 3);
  NormResult<float, T> r = {random_values<T>(rows * n, 4, 1e9f),
                            random_values<float>(rows, 5, 1e9f),
                            random_values<float>(rows * n, 6, 1e9f), random_values<float>(n, 7)};
  if (how.twin) {
    reference::rms_norm_forward(rows, n, x.data(), weight.data(), kEpsilon, r.y.data(),
                                r.inverse_rms.data());
    reference::rms_norm_backward(rows, n, x.data(), weight.data(), r.inverse_rms.data(), d_y.data(),
                                 r.d_x.data(), r.d_weight.data());
  } else {
    rms_norm_forward(rows, n, x.data(), weight.data(), kEpsilon, r.y.data(), r.inverse_rms.data(),
                     how.target);
    rms_norm_backward(rows, n, x.data(), weight.data(), r.inverse_rms.data(), d_y.data(),
                      r.d_x.data(), r.d_weight.data(), how.target);
  }
  return r;
}

struct Heads {
  std::size_t rows, heads, head_dim, row_stride;
  bool normed;
};

template <typename T>
NormResult<T, T> norm_rope(const Heads& s, How how) {
  const std::size_t packed = s.rows * s.heads * s.head_dim, half = s.head_dim / 2;
  const auto x = random_values<T>(s.rows * s.row_stride, 1, 3.0f);
  const auto weight = random_values<float>(s.head_dim, 2);
  const auto d_y = random_values<T>(packed, 3);
  const auto cosine = random_values<float>(s.rows * half, 8);
  const auto sine = random_values<float>(s.rows * half, 9);
  const float* w = s.normed ? weight.data() : nullptr;
  NormResult<T, T> r = {
      random_values<T>(packed, 4, 1e9f), random_values<float>(s.rows * s.heads, 5, 1e9f),
      random_values<T>(s.rows * s.row_stride, 6, 1e9f), random_values<float>(s.head_dim, 7)};
  if (how.twin) {
    reference::norm_rope_forward(s.rows, s.heads, s.head_dim, s.row_stride, x.data(), w, kEpsilon,
                                 cosine.data(), sine.data(), r.y.data(), r.inverse_rms.data());
    reference::norm_rope_backward(s.rows, s.heads, s.head_dim, s.row_stride, x.data(), w,
                                  r.inverse_rms.data(), cosine.data(), sine.data(), d_y.data(),
                                  r.d_x.data(), r.d_weight.data());
  } else {
    norm_rope_forward(s.rows, s.heads, s.head_dim, s.row_stride, x.data(), w, kEpsilon,
                      cosine.data(), sine.data(), r.y.data(), r.inverse_rms.data(), how.target);
    norm_rope_backward(s.rows, s.heads, s.head_dim, s.row_stride, x.data(), w, r.inverse_rms.data(),
                       cosine.data(), sine.data(), d_y.data(), r.d_x.data(), r.d_weight.data(),
                       how.target);
  }
  return r;
}

template <typename T>
struct SwigluResult {
  std::vector<T> y, d_gate_up;
  bool operator==(const SwigluResult&) const = default;
};

template <typename T>
SwigluResult<T> swiglu(std::size_t rows, std::size_t n, How how) {
  const auto gate_up = random_values<T>(2 * rows * n, 1, 3.0f);
  const auto d_y = random_values<T>(rows * n, 2);
  SwigluResult<T> r = {random_values<T>(rows * n, 3, 1e9f),
                       random_values<T>(2 * rows * n, 4, 1e9f)};
  if (how.twin) {
    reference::swiglu_forward(rows, n, gate_up.data(), r.y.data());
    reference::swiglu_backward(rows, n, gate_up.data(), d_y.data(), r.d_gate_up.data());
  } else {
    swiglu_forward(rows, n, gate_up.data(), r.y.data(), how.target);
    swiglu_backward(rows, n, gate_up.data(), d_y.data(), r.d_gate_up.data(), how.target);
  }
  return r;
}

template <typename T>
struct LossResult {
  double loss = 0.0;
  std::vector<T> gradient;
  bool operator==(const LossResult&) const = default;
};

template <typename T>
LossResult<T> cross_entropy(std::size_t rows, std::size_t vocab, How how) {
  LossResult<T> r = {0.0, random_values<T>(rows * vocab, 1, 5.0f)};
  std::vector<std::int64_t> targets(rows);
  for (std::size_t i = 0; i < rows; ++i)
    targets[i] = i % 7 == 3 ? -1 : static_cast<std::int64_t>(i * 5 % vocab);
  r.loss = how.twin ? reference::cross_entropy_in_place(rows, vocab, r.gradient.data(),
                                                        targets.data(), 0.25f)
                    : cross_entropy_in_place(rows, vocab, r.gradient.data(), targets.data(), 0.25f,
                                             how.target);
  return r;
}

template <typename TX, typename TY>
void expect_norms_close(const NormResult<TX, TY>& got, const NormResult<TX, TY>& want) {
  expect_close(got.y, want.y, "y");
  expect_close(got.inverse_rms, want.inverse_rms, "inverse_rms");
  expect_close(got.d_x, want.d_x, "d_x");
  expect_close(got.d_weight, want.d_weight, "d_weight", 1e-4);
}

template <typename T>
void expect_twins_agree(std::size_t rows, std::size_t n) {
  SCOPED_TRACE(testing::Message() << rows << " rows of " << n);
  const How twin = {true};
  const Heads heads = {rows, 1 + n % 3, 2 * n, (1 + n % 3) * 2 * n + n, n % 5 != 0};
  on_every_target([&](SimdTarget target) {
    const How how = {false, target};
    expect_norms_close(rms_norm<T>(rows, n, how), rms_norm<T>(rows, n, twin));
    expect_norms_close(norm_rope<T>(heads, how), norm_rope<T>(heads, twin));
    const SwigluResult<T> got = swiglu<T>(rows, n, how), want = swiglu<T>(rows, n, twin);
    expect_close(got.y, want.y, "y");
    expect_close(got.d_gate_up, want.d_gate_up, "d_gate_up");
    const LossResult<T> loss = cross_entropy<T>(rows, n, how);
    const LossResult<T> want_loss = cross_entropy<T>(rows, n, twin);
    expect_close(loss.gradient, want_loss.gradient, "gradient", 1e-6);
    EXPECT_NEAR(loss.loss, want_loss.loss, 1e-5 * (1.0 + want_loss.loss));
  });
}

template <typename T>
class Fused : public testing::Test {};
using Storage = testing::Types<float, std::uint16_t>;
TYPED_TEST_SUITE(Fused, Storage);

TYPED_TEST(Fused, AgreesWithItsTwin) {
  expect_twins_agree<TypeParam>(0, 16);
  expect_twins_agree<TypeParam>(1, 1);
  expect_twins_agree<TypeParam>(65, 16);
  expect_twins_agree<TypeParam>(200, 48);
  expect_twins_agree<TypeParam>(3, 1000);
}

TYPED_TEST(Fused, ThreadsDoNotMatter) {
  using T = TypeParam;
  const auto all = [] {
    return std::tuple(rms_norm<T>(300, 40, {}), norm_rope<T>({300, 4, 32, 200, true}, {}),
                      swiglu<T>(300, 40, {}), cross_entropy<T>(300, 40, {}));
  };
  const auto one = all();
  for (int threads = 1; threads <= 3; ++threads)
    with_threads(threads, [&] { EXPECT_TRUE(all() == one) << threads; });
}

TYPED_TEST(Fused, RopeWithoutWeightLeavesTheNormAlone) {
  const auto got = norm_rope<TypeParam>({70, 2, 32, 64, false}, {});
  EXPECT_EQ(got.inverse_rms, random_values<float>(140, 5, 1e9f));
  EXPECT_EQ(got.d_weight, random_values<float>(32, 7));
}

TYPED_TEST(Fused, RopeWritesOnlyItsHeads) {
  const auto got = norm_rope<TypeParam>({3, 2, 8, 20, true}, {});
  const auto before = random_values<TypeParam>(60, 6, 1e9f);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t i = 16; i < 20; ++i) EXPECT_EQ(got.d_x[r * 20 + i], before[r * 20 + i]);
}

// bf16 results are the f32 results of the same inputs, rounded to nearest even.
TEST(FusedRounding, IsToNearestEven) {
  const Floats ones(5, 1.0f);
  const Floats x = {1.0f, 1.00390625f, 1.01171875f, 1.00390637f, -1.00390625f};
  const Floats cosine = x, sine(5, 0.0f);
  on_every_target([&](SimdTarget target) {
    std::vector<std::uint16_t> in(10, bf16_from_float(1.0f)), y(10);
    norm_rope_forward(1, 1, 10, 10, in.data(), static_cast<const float*>(nullptr), kEpsilon,
                      cosine.data(), sine.data(), y.data(), static_cast<float*>(nullptr), target);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(y[i], bf16_from_float(x[i])) << i;
  });
}

TEST(FusedExtremes, LossesStayFiniteAndNanShows) {
  on_every_target([](SimdTarget target) {
    Floats logits = {3e38f, -3e38f, 0.0f, 1.0f, -1e4f, -1e4f, -1e4f, -1e4f};
    const std::vector<std::int64_t> targets = {0, 1};
    const double loss = cross_entropy_in_place(2, 4, logits.data(), targets.data(), 1.0f, target);
    EXPECT_NEAR(loss, std::log(4.0), 1e-6);
    EXPECT_NEAR(logits[4], 0.25f, 1e-6f);
    EXPECT_NEAR(logits[5], -0.75f, 1e-6f);
    logits = {0.0f, std::numeric_limits<float>::quiet_NaN(), 0.0f, 1.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    EXPECT_TRUE(
        std::isnan(cross_entropy_in_place(2, 4, logits.data(), targets.data(), 1.0f, target)));
    const Floats gate_up = {-200.0f, 200.0f, 0.0f, 1.0f, 1.0f, 1.0f};
    Floats y(3);
    swiglu_forward(1, 3, gate_up.data(), y.data(), target);
    expect_close(y, {0.0f, 200.0f, 0.0f}, "y", 1e-30);
  });
}

// Left of zero the result is gate * e^gate and a little: its error is the exponential's.
TEST(FusedExponential, IsRightToAMillionth) {
  Floats gate_up(2 * 1024, 1.0f), y(1024), want(1024);
  for (std::size_t i = 0; i < 1024; ++i) gate_up[i] = (static_cast<float>(i) - 768.5f) / 96.0f;
  reference::swiglu_forward(1, 1024, gate_up.data(), want.data());
  on_every_target([&](SimdTarget target) {
    swiglu_forward(1, 1024, gate_up.data(), y.data(), target);
    for (std::size_t i = 0; i < 1024; ++i)
      ASSERT_NEAR(y[i], want[i], 1e-6f * std::abs(want[i])) << gate_up[i];
  });
}

RC_GTEST_PROP(FusedProperty, AgreesWithItsTwinOnRandomShapes, ()) {
  const auto rows = *rc::gen::inRange<std::size_t>(0, 130);
  const auto n = *rc::gen::inRange<std::size_t>(1, 70);
  with_threads(1, [&] {
    expect_twins_agree<float>(rows, n);
    expect_twins_agree<std::uint16_t>(rows, n);
  });
  RC_ASSERT(!testing::Test::HasFailure());
}

}  // namespace
}  // namespace laconic::train
