// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "kernel_testing.h"

namespace laconic {
namespace {

using test::expect_close;
using test::on_every_target;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kSizes[] = {0, 1, 2, 3, 15, 16, 17, 31, 33, 64, 100, 896, 4097};

TEST(Elementwise, RmsNormEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      for (float spread : {1e-12f, 1.0f, 1e6f}) {
        std::vector<float> x = random_floats(n, 1, spread);
        const std::vector<float> weight = random_floats(n, 2);
        std::vector<float> expected(n);
        reference::rms_norm(x.data(), weight.data(), 1e-6f, n, expected.data());
        rms_norm(x.data(), weight.data(), 1e-6f, n, x.data());
        expect_close(x, expected, 2e-6);
      }
    }
  });
}

TEST(Elementwise, AddEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      std::vector<float> y = random_floats(n, 3);
      std::vector<float> expected = y;
      const std::vector<float> x = random_floats(n, 4);
      add_in_place(y.data(), x.data(), n);
      reference::add_in_place(expected.data(), x.data(), n);
      EXPECT_TRUE(test::same_bits(y, expected)) << n;
    }
  });
}

TEST(Elementwise, AddResidualEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      const std::vector<float> x = random_floats(n, 3), delta = random_floats(n, 4);
      const std::vector<float> bias = random_floats(n, 5);
      for (const float* b : {static_cast<const float*>(nullptr), bias.data()}) {
        std::vector<float> got = x, expected = x;
        EXPECT_TRUE(add_residual(got.data(), delta.data(), b, n));
        EXPECT_TRUE(reference::add_residual(expected.data(), delta.data(), b, n));
        EXPECT_TRUE(test::same_bits(got, expected)) << n;
      }
    }
  });
}

TEST(Elementwise, AddResidualSeesWhatIsNotFiniteAtEveryPlace) {
  on_every_target([] {
    for (std::size_t n : {1u, 16u, 37u}) {
      for (std::size_t i = 0; i < n; ++i) {
        for (float bad : {kInfinity, -kInfinity, kNan, 3e38f}) {
          std::vector<float> x(n, -1.0f), delta(n, 1.0f);
          x[i] = delta[i] = bad;  // the sum of two large ones is infinite too
          EXPECT_FALSE(add_residual(x.data(), delta.data(), nullptr, n)) << i << " of " << n;
          EXPECT_FALSE(reference::add_residual(x.data(), delta.data(), nullptr, n));
        }
      }
    }
  });
}

TEST(Elementwise, SwigluEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      std::vector<float> gate = random_floats(n, 5, 20.0f);
      const std::vector<float> up = random_floats(n, 6);
      std::vector<float> expected(n);
      reference::swiglu(gate.data(), up.data(), n, expected.data());
      swiglu(gate.data(), up.data(), n, gate.data());
      expect_close(gate, expected, 1e-6);
    }
    const std::vector<float> gate = {0.0f, -0.0f, 200.0f, -200.0f, 1e30f, -1e30f, kInfinity, kNan};
    const std::vector<float> up(gate.size(), 1.0f);
    std::vector<float> expected(gate.size());
    std::vector<float> out(gate.size());
    reference::swiglu(gate.data(), up.data(), gate.size(), expected.data());
    swiglu(gate.data(), up.data(), gate.size(), out.data());
    expect_close(out, expected, 1e-6);
  });
}

TEST(Elementwise, SoftmaxEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      for (float spread : {0.01f, 1.0f, 50.0f, 1e5f}) {
        std::vector<float> x = random_floats(n, 7, spread);
        std::vector<float> expected = x;
        reference::softmax_in_place(expected.data(), n);
        softmax_in_place(x.data(), n);
        // The argument of exp carries an error of half a unit in the last place of the logit.
        expect_close(x, expected, 2e-6 + 1e-7 * static_cast<double>(spread) / 50);
      }
    }
  });
}

// exp(x) = y / (1 - y) for the two-way softmax y of (x, 0): exp to its full accuracy.
TEST(Elementwise, ExpIsAccurateOverItsRange) {
  on_every_target([] {
    double worst = 0;
    for (int step = 0; step < 40000; ++step) {
      const float x = -87.0f + 87.0f * static_cast<float>(step) / 40000.0f;
      float pair[2] = {x, 0.0f};
      softmax_in_place(pair, 2);
      const double ratio = static_cast<double>(pair[0]) / pair[1];
      const double expected = std::exp(static_cast<double>(x));
      worst = std::max(worst, std::fabs(ratio / expected - 1));
    }
    EXPECT_LT(worst, 4e-7);  // exp's 2e-7 and two roundings of the division by the sum
    // Far below: still the nearest subnormal, then zero.
    float tiny[2] = {-100.0f, 0.0f};
    softmax_in_place(tiny, 2);
    EXPECT_NEAR(tiny[0], std::exp(-100.0), 2e-45);
    float none[2] = {-110.0f, 0.0f};
    softmax_in_place(none, 2);
    EXPECT_EQ(none[0], 0.0f);
  });
}

TEST(Elementwise, SoftmaxOfExtremes) {
  on_every_target([] {
    const std::vector<std::vector<float>> cases = {
        {-kInfinity, 0.0f, 1.0f},        {3e38f, -3e38f, 3e38f}, {kInfinity, 0.0f},
        {-kInfinity, -kInfinity},        {kNan, 0.0f, 1.0f},     {1e-45f, 0.0f},
        std::vector<float>(37, 1000.0f),
    };
    for (std::vector<float> x : cases) {
      std::vector<float> expected = x;
      reference::softmax_in_place(expected.data(), x.size());
      softmax_in_place(x.data(), x.size());
      expect_close(x, expected, 1e-6);
    }
    std::vector<float> late(40, 0.0f);  // NaN in the last, partial vector and in a full one
    for (std::size_t at : {5u, 39u}) {
      std::vector<float> x = late;
      x[at] = kNan;
      softmax_in_place(x.data(), x.size());
      for (float value : x) EXPECT_TRUE(std::isnan(value));
    }
  });
}

TEST(Elementwise, RopeEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t d : {2u, 4u, 8u, 30u, 32u, 64u, 80u, 128u, 256u}) {
      std::vector<float> head = random_floats(d, 8);
      std::vector<float> expected = head;
      std::vector<float> cosines;
      std::vector<float> sines;
      for (float angle : random_floats(d / 2, 9)) {
        cosines.push_back(std::cos(angle));
        sines.push_back(std::sin(angle));
      }
      rope_in_place(head.data(), cosines.data(), sines.data(), d);
      reference::rope_in_place(expected.data(), cosines.data(), sines.data(), d);
      expect_close(head, expected, 1e-6);
    }
  });
}

TEST(Elementwise, AllFiniteSeesEveryPlace) {
  on_every_target([] {
    for (std::size_t n : {0u, 1u, 16u, 37u, 130u}) {
      std::vector<float> x = random_floats(n, 10, 1e38f);
      for (float& value : x) value = std::clamp(value, -3e38f, 3e38f);
      EXPECT_TRUE(all_finite(x.data(), n));
      for (std::size_t i = 0; i < n; ++i) {
        for (float bad : {kInfinity, -kInfinity, kNan}) {
          const float before = std::exchange(x[i], bad);
          EXPECT_FALSE(all_finite(x.data(), n)) << i << " of " << n;
          EXPECT_FALSE(reference::all_finite(x.data(), n));
          x[i] = before;
        }
      }
    }
  });
}

TEST(Elementwise, ArgmaxIsTheFirstOfTheLargest) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      if (n == 0) continue;
      const std::vector<float> random = random_floats(n, 11);
      EXPECT_EQ(argmax(random.data(), n), reference::argmax(random.data(), n)) << n;
      // Steps of a half: many equals. And all equal, of either sign of zero.
      std::vector<float> ties = random;
      for (float& value : ties) value = std::round(value * 2) / 2;
      EXPECT_EQ(argmax(ties.data(), n), reference::argmax(ties.data(), n)) << n;
      std::vector<float> zeros(n, -0.0f);
      zeros[n / 2] = 0.0f;
      EXPECT_EQ(argmax(zeros.data(), n), 0u) << n;
      for (std::size_t first : {std::size_t{0}, n / 2, n - 1}) {
        std::vector<float> x(n, -kInfinity);
        x[first] = x[n - 1] = -3.0f;
        EXPECT_EQ(argmax(x.data(), n), first) << n;
      }
      EXPECT_EQ(argmax(std::vector<float>(n, -kInfinity).data(), n), 0u) << n;
    }
  });
}

TEST(Elementwise, FindAtLeastEqualsTheTwin) {
  on_every_target([] {
    for (std::size_t n : kSizes) {
      const std::vector<float> x = random_floats(n, 12);
      for (float least : {-kInfinity, -1.0f, 2.0f, n > 0 ? x[n / 2] : 0.0f, kInfinity}) {
        std::vector<std::int32_t> got(n, -1), expected(n, -1);
        const std::size_t count = find_at_least(x.data(), n, least, got.data());
        ASSERT_EQ(count, reference::find_at_least(x.data(), n, least, expected.data()));
        got.resize(count);
        expected.resize(count);
        EXPECT_EQ(got, expected) << n << " from " << least;
      }
    }
  });
}

}  // namespace
}  // namespace laconic
