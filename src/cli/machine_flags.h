// SPDX-License-Identifier: Apache-2.0
// Flags about the machine that several subcommands share: threads and the SIMD target.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace laconic::cli {

class MachineFlags {
 public:
  void declare(CLI::App& app);

  // Applies --simd, or the LACONIC_SIMD environment variable when the flag is absent. Error(kUsage)
  // when this CPU or build lacks the target.
  void apply() const;

  std::size_t threads() const { return threads_.value_or(0); }  // 0: one per core
  bool given() const { return threads_ || !simd_.empty(); }

 private:
  std::optional<std::size_t> threads_;
  std::string simd_;
};

std::string cpu_name();  // "" where the system does not say

}  // namespace laconic::cli
