// SPDX-License-Identifier: Apache-2.0
// The one exception type that laconic throws for what a user or a file did wrong.
//
// The message is a single sentence: what was wrong, the value, what is allowed, and a hint where
// one helps. What only a bug in laconic can cause is an assertion instead.
#pragma once

#include <stdexcept>
#include <string>

namespace laconic {

enum class ErrorKind {
  kUsage,     // an option or argument that cannot be honoured; the tool exits with 2
  kInput,     // a file, model or text that is damaged or unsupported; the tool exits with 1
  kResource,  // not enough memory, rows or disk; the tool exits with 1
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace laconic
