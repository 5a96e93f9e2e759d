// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/memory.h"
#include "base/threads.h"
#include "cli/inspect.h"
#include "cli/values.h"
#include "cli/version.h"
#include "kernels/system.h"

namespace laconic::cli {
namespace {

std::string joined(const Json& words) {
  std::string out;
  for (const Json& word : words) out += (out.empty() ? "" : ", ") + word.get<std::string>();
  return out.empty() ? "none" : out;
}

}  // namespace

Json describe_system(const MachineFlags& machine) {
  SimdTarget simd = simd_target();
  // What the CPU has below the chosen target is used by it alone.
  if (simd.name.rfind("AVX3", 0) != 0) simd.features.clear();
  Threads threads(machine.threads());
  return {{"version", kVersion},
          {"cpu", cpu_name()},
          {"simd", simd.name},
          {"simd_features", simd.features},
          {"simd_available", simd.available},
          {"cores", available_cores()},
          {"threads", threads.size()},
          {"available_memory", available_memory()},
          {"read_bandwidth", measure_read_bandwidth(threads)}};
}

void print_system(const Json& d) {
  const auto text = [&](const char* key) { return d[key].get<std::string>(); };
  fmt::print("laconic          {}\n", text("version"));
  fmt::print("cpu              {}\n", text("cpu"));
  fmt::print("simd             {} with {}\n", text("simd"), joined(d["simd_features"]));
  fmt::print("simd available   {}\n", joined(d["simd_available"]));
  fmt::print("threads          {} of {} cores\n", d["threads"].get<std::size_t>(),
             d["cores"].get<std::size_t>());
  fmt::print("free memory      {}\n", readable_bytes(d["available_memory"].get<double>()));
  fmt::print("read bandwidth   {:.1f} GB/s\n", d["read_bandwidth"].get<double>() / 1e9);
}

}  // namespace laconic::cli
