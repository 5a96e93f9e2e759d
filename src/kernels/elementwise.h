// SPDX-License-Identifier: Apache-2.0
// The small operations between matrix products, one row at a time. All f32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace laconic {

// y = x / sqrt(mean(x^2) + eps) * weight. x and y may be the same.
void rms_norm(const float* x /* [n] */, const float* weight /* [n] */, float eps, std::size_t n,
              float* y /* [n] */);

void add_in_place(float* y /* [n] */, const float* x /* [n] */, std::size_t n);

// x += delta + bias, and whether all of x is finite then. No bias if it is null.
bool add_residual(float* x /* [n] */, const float* delta /* [n] */, const float* bias /* [n] */,
                  std::size_t n);

// out = silu(gate) * up. out may be gate.
void swiglu(const float* gate /* [n] */, const float* up /* [n] */, std::size_t n, float* out);

// Softmax over n values in place; the largest is subtracted first. n = 0 does nothing.
void softmax_in_place(float* x /* [n] */, std::size_t n);

// Rotate-half RoPE of one head ("neox" order: element i pairs with i + d/2).
void rope_in_place(float* head /* [d] */, const float* cos /* [d/2] */,
                   const float* sin /* [d/2] */, std::size_t d);

// Whether all n values are finite.
bool all_finite(const float* x /* [n] */, std::size_t n);

// Where the largest value is, the first of equals. PRECONDITIONS: n > 0, and no value is NaN.
std::size_t argmax(const float* x /* [n] */, std::size_t n);

// Where the values are that are at least `least`, ascending; returns how many.
std::size_t find_at_least(const float* x /* [n] */, std::size_t n, float least,
                          std::int32_t* places /* [n] */);

namespace reference {
void rms_norm(const float* x, const float* weight, float eps, std::size_t n, float* y);
void add_in_place(float* y, const float* x, std::size_t n);
bool add_residual(float* x, const float* delta, const float* bias, std::size_t n);
void swiglu(const float* gate, const float* up, std::size_t n, float* out);
void softmax_in_place(float* x, std::size_t n);
void rope_in_place(float* head, const float* cos, const float* sin, std::size_t d);
bool all_finite(const float* x, std::size_t n);
std::size_t argmax(const float* x, std::size_t n);
std::size_t find_at_least(const float* x, std::size_t n, float least, std::int32_t* places);
}  // namespace reference

}  // namespace laconic
