// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantize.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "packed_testing.h"

namespace laconic {
namespace {

using test::kAllTypes;
using test::on_every_target;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<std::byte> stored(DType type, const std::vector<float>& in) {
  std::vector<std::byte> out(row_bytes(type, in.size()));
  quantize_row(type, in.data(), in.size(), out.data());
  return out;
}

std::vector<std::byte> stored_by_twin(DType type, const std::vector<float>& in) {
  std::vector<std::byte> out(row_bytes(type, in.size()));
  reference::quantize_row(type, in.data(), in.size(), out.data());
  return out;
}

std::vector<float> restored(DType type, const std::vector<std::byte>& in, std::size_t n) {
  std::vector<float> out(n);
  dequantize(type, in.data(), n, out.data());
  return out;
}

TEST(Quantize, SameBitsAsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kAllTypes) {
      for (std::size_t n : {0u, 1u, 5u, 31u, 32u, 33u, 64u, 1000u, 4096u}) {
        if (n % block_elements(type) != 0) continue;
        for (float spread : {1e-38f, 1e-7f, 1e-5f, 1.0f, 1e4f, 1e30f}) {
          const std::vector<float> in = random_floats(n, 1, spread);
          EXPECT_EQ(stored(type, in), stored_by_twin(type, in))
              << dtype_name(type) << " n " << n << " spread " << spread;
        }
      }
    }
  });
}

// Multiples of half a step: every rounding is a tie.
TEST(Quantize, TiesRoundAsTheFormatSays) {
  std::vector<float> in(32);
  for (std::size_t i = 0; i < 32; ++i) in[i] = static_cast<float>(i) - 15.5f;
  in[0] = -127.0f;  // the step becomes 1
  on_every_target([&] {
    const std::vector<std::byte> q8 = stored(DType::kQ8_0, in);
    for (std::size_t i = 1; i < 32; ++i) {
      EXPECT_EQ(static_cast<std::int8_t>(q8[2 + i]), std::lround(in[i])) << in[i];
    }
    EXPECT_EQ(q8, stored_by_twin(DType::kQ8_0, in));
    EXPECT_EQ(stored(DType::kQ4_0, in), stored_by_twin(DType::kQ4_0, in));
  });
}

TEST(Quantize, KnownQ4Block) {
  std::vector<float> in(32, 0.0f);
  in[3] = 8.0f;  // the first of the largest magnitude decides the sign of the scale
  in[20] = -8.0f;
  in[1] = 0.5f;
  in[17] = -2.0f;
  on_every_target([&] {
    const std::vector<std::byte> q = stored(DType::kQ4_0, in);
    std::uint16_t scale;
    std::memcpy(&scale, q.data(), 2);
    EXPECT_EQ(float_from_f16(scale), -1.0f);
    EXPECT_EQ(q[2 + 3], std::byte{0x80});  // 8 / -1 + 8 = 0, and 0 + 8 = 8 above it
    EXPECT_EQ(q[2 + 4], std::byte{0xf8});  // -8 would be 16: the largest nibble is 15
    EXPECT_EQ(q[2 + 1], std::byte{0xa8});  // -0.5 + 8.5 = 8, and 2 + 8 = 10
  });
}

TEST(Quantize, EveryF16ValueSurvives) {
  std::vector<std::byte> all(2 * 65536);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    std::memcpy(all.data() + 2 * i, &bits, 2);
  }
  on_every_target([&] {
    const std::vector<float> wide = restored(DType::kF16, all, 65536);
    const std::vector<std::byte> narrow = stored(DType::kF16, wide);
    for (std::uint32_t i = 0; i < 65536; ++i) {
      const float expected = float_from_f16(static_cast<std::uint16_t>(i));
      std::uint16_t back;
      std::memcpy(&back, narrow.data() + 2 * i, 2);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide[i]) && std::isnan(float_from_f16(back))) << i;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), std::bit_cast<std::uint32_t>(expected))
            << i;
        ASSERT_EQ(back, i);
      }
    }
  });
}

TEST(Quantize, NonFiniteStaysNonFinite) {
  on_every_target([] {
    for (DType type : kAllTypes) {
      for (float bad : {kInfinity, -kInfinity, kNan}) {
        for (std::size_t at : {0u, 15u, 31u}) {
          std::vector<float> in = random_floats(64, 2);
          in[at] = bad;
          const std::vector<float> out = restored(type, stored(type, in), 64);
          EXPECT_FALSE(std::isfinite(out[at])) << dtype_name(type);
          EXPECT_TRUE(std::isfinite(out[40])) << "the other block, " << dtype_name(type);
          EXPECT_EQ(stored(type, in), stored_by_twin(type, in)) << dtype_name(type) << " " << bad;
        }
      }
    }
  });
}

TEST(Quantize, ZerosAndSignedZeros) {
  on_every_target([] {
    for (float zero : {0.0f, -0.0f}) {
      for (DType type : kAllTypes) {
        const std::vector<float> in(32, zero);
        EXPECT_EQ(stored(type, in), stored_by_twin(type, in)) << dtype_name(type);
        for (float value : restored(type, stored(type, in), 32)) EXPECT_EQ(value, 0.0f);
      }
    }
  });
}

TEST(Dequantize, SameBitsAsTheTwinOnEveryTarget) {
  on_every_target([] {
    for (DType type : kAllTypes) {
      for (std::size_t n : {0u, 1u, 17u, 32u, 100u, 992u}) {
        if (n % block_elements(type) != 0) continue;
        const std::vector<std::byte> bytes = stored_by_twin(type, random_floats(n, 3));
        std::vector<float> expected(n);
        reference::dequantize(type, bytes.data(), n, expected.data());
        EXPECT_TRUE(test::same_bits(restored(type, bytes, n), expected)) << dtype_name(type);
      }
    }
  });
}

constexpr DType kKTypes[] = {DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

TEST(Dequantize, KQuantsHaveTheSameBitsAsTheTwinOnEveryTarget) {
  for (DType type : kKTypes) {
    for (std::size_t blocks : {0u, 1u, 5u}) {
      const test::RandomMatrix source(type, 1, blocks * kKBlock, 4);
      std::vector<float> expected(blocks * kKBlock);
      reference::dequantize(type, source.bytes.data(), expected.size(), expected.data());
      on_every_target([&] {
        EXPECT_TRUE(test::same_bits(restored(type, source.bytes, expected.size()), expected))
            << dtype_name(type);
      });
    }
  }
}

// A block of zeros but for the bits that one weight depends on.
struct OneWeight {
  explicit OneWeight(DType type) : block(block_bytes(type)), out(kKBlock), type_(type) {}

  float value(std::size_t k) {
    reference::dequantize(type_, block.data(), kKBlock, out.data());
    return out[k];
  }
  void set(std::size_t at, unsigned byte) { block[at] = static_cast<std::byte>(byte); }

  std::vector<std::byte> block;
  std::vector<float> out;

 private:
  DType type_;
};

// Where ggml's block_q4_K keeps the weights of its second and of its last scale.
TEST(Dequantize, KnownQ4KBlock) {
  OneWeight b(DType::kQ4_K);
  test::set_half(b.block.data(), 0.5f);
  test::set_half(b.block.data() + 2, 0.25f);
  b.set(4 + 1, 63);           // scale 1
  b.set(4 + 4 + 1, 7);        // minimum 1
  b.set(4 + 3, 2 << 6);       // scale 7, its upper two bits, beside scale 3
  b.set(4 + 7, 1 << 6);       // minimum 7, its upper two bits, beside minimum 3
  b.set(4 + 11, 5 | 9 << 4);  // scale 7 and minimum 7, their lower four bits
  b.set(16 + 10, 0xb0);       // weight 42: the upper nibble of byte 10
  b.set(16 + 96 + 31, 0xd0);  // weight 255
  EXPECT_EQ(b.value(42), 0.5f * 63 * 11 - 0.25f * 7);
  EXPECT_EQ(b.value(43), -0.25f * 7);
  EXPECT_EQ(b.value(255), 0.5f * (5 + 32) * 13 - 0.25f * (9 + 16));
  EXPECT_EQ(b.value(0), 0.0f);
}

TEST(Dequantize, KnownQ5KBlock) {
  OneWeight b(DType::kQ5_K);
  test::set_half(b.block.data(), 2.0f);
  b.set(4 + 2, 3);           // scale 2
  b.set(16 + 5, 1 << 2);     // weight 69: bit 2 of byte 5 is its fifth
  b.set(48 + 32 + 5, 0x06);  // and the lower nibble of byte 37 the rest
  EXPECT_EQ(b.value(69), 2.0f * 3 * (16 + 6));
  EXPECT_EQ(b.value(70), 0.0f);
}

TEST(Dequantize, KnownQ6KBlock) {
  OneWeight b(DType::kQ6_K);
  test::set_half(b.block.data() + 208, 0.5f);
  b.set(192 + 8 + 5, 0x80);      // the scale of weights 208 to 223: -128
  b.set(64 + 17, 0xe0);          // weight 209: the upper nibble of byte 17 of the second half
  b.set(128 + 32 + 17, 1 << 4);  // and bits 4 and 5 of its upper bits' byte
  EXPECT_EQ(b.value(209), 0.5f * -128 * (16 + 14 - 32));
  EXPECT_EQ(b.value(210), 0.5f * -128 * -32);
  EXPECT_EQ(b.value(224), 0.0f);
}

// Half a step of the type, for values that it can hold.
RC_GTEST_PROP(QuantizeProperty, RoundTripStaysWithinTheStep, ()) {
  const auto integers = *rc::gen::container<std::vector<int>>(32, rc::gen::inRange(-30000, 30000));
  std::vector<float> in;
  for (int value : integers) in.push_back(static_cast<float>(value) / 128.0f);
  float largest = 0;
  for (float value : in) largest = std::max(largest, std::fabs(value));
  for (DType type : kAllTypes) {
    const std::vector<float> out = restored(type, stored(type, in), 32);
    RC_ASSERT(stored(type, in) == stored_by_twin(type, in));
    for (std::size_t i = 0; i < 32; ++i) {
      const float scale_error = largest / 2048;  // the f16 scale itself is rounded
      float step = 0;
      if (type == DType::kF16) step = std::fabs(in[i]) / 2048;
      if (type == DType::kBF16) step = std::fabs(in[i]) / 256;
      if (type == DType::kQ8_0) step = largest / 254 * 1.001f + scale_error;
      // The side opposite to the largest value is cut at 7 of 8 steps.
      if (type == DType::kQ4_0) step = largest / 8 * 1.001f + scale_error;
      RC_ASSERT(std::fabs(in[i] - out[i]) <= step + 1e-7f);
    }
  }
}

}  // namespace
}  // namespace laconic
