// SPDX-License-Identifier: Apache-2.0
#include "cli/machine_flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>

#include "cli/numbers.h"
#include "kernels/system.h"

namespace laconic::cli {
namespace {

constexpr std::size_t kMostThreads = 1024;

}  // namespace

void MachineFlags::declare(CLI::App& app) {
  add_count(app, "-t,--threads", threads_, 0, kMostThreads, "threads; 0: one per core (0)")
      ->group("Machine");
  app.add_option("--simd", simd_, "SIMD target instead of the best one; also LACONIC_SIMD")
      ->group("Machine")
      ->type_name("NAME");
}

void MachineFlags::apply() const {
  const char* environment = std::getenv("LACONIC_SIMD");
  const std::string name = !simd_.empty() ? simd_ : environment ? environment : "";
  if (!name.empty()) force_simd_target(name);
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

}  // namespace laconic::cli
