// SPDX-License-Identifier: Apache-2.0
// What stops a hostile template: failures inside the template engine, and the budget of a render.
//
// Every expression, statement and loop turn costs a step; every string or list that is built costs
// its size before it is built. Value and syntax depths are bounded, so that recursion over them
// cannot exhaust the stack. A Failure never leaves the room: it becomes an Error with the line.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace laconic::jinja {

class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what) : std::runtime_error(what) {}
};

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Failure(fmt::format(text, std::forward<Args>(args)...));
}

// Nesting of lists and mappings, of expressions and statements, and of evaluation (macros calling
// macros). Real templates stay below 20; the stack of a thread holds far more than these.
inline constexpr std::size_t kMaxValueDepth = 128;
inline constexpr std::size_t kMaxSyntaxDepth = 100;
inline constexpr std::size_t kMaxChain = 1000;  // operators, filters and attributes in one tag
inline constexpr std::size_t kMaxEvaluationDepth = 1200;
inline constexpr std::size_t kMaxRange = 100000;  // as Jinja's sandbox

struct Limits {
  std::size_t steps = 5'000'000;
  std::size_t bytes = std::size_t{256} << 20;  // all values built during a render
  std::size_t output = std::size_t{64} << 20;  // the rendered text
};

class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits), left_(limits) {}

  void step(std::size_t count = 1) {
    if (count > left_.steps) fail("the template needs more than {} steps", limits_.steps);
    left_.steps -= count;
  }
  void bytes(std::size_t count) {
    if (count > left_.bytes) fail("the template builds more than {} bytes", limits_.bytes);
    left_.bytes -= count;
  }
  // count items of `size` bytes, without overflow.
  void bytes(std::size_t count, std::size_t size) {
    if (size != 0 && count > left_.bytes / size) bytes(limits_.bytes + 1);
    bytes(count * size);
  }
  const Limits& limits() const { return limits_; }

 private:
  Limits limits_, left_;
};

}  // namespace laconic::jinja
