// SPDX-License-Identifier: Apache-2.0
#include "cli/conversion.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "cli/values.h"

namespace laconic::cli {

namespace {

// GGUF files name their types in capitals.
std::string lower_case(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

}  // namespace

DType parse_weight_type(const std::string& name) {
  const auto type = dtype_from_name(lower_case(name));
  if (!type) throw_usage("--type is \"{}\"; it must be f32, f16, bf16, q8_0 or q4_0", name);
  if (!can_quantize(*type)) {
    throw_usage(
        "--type is \"{}\", which is read but not written; f32, f16, bf16, q8_0 and q4_0 are", name);
  }
  return *type;
}

TypeMix parse_made_type(const std::string& name) {
  const std::string lower = lower_case(name);
  if (lower == TypeMix::q4_k_m().name()) return TypeMix::q4_k_m();
  if (const auto type = dtype_from_name(lower)) return *type;
  throw_usage("--type is \"{}\"; it must be f32, f16, bf16, q8_0, q4_0, q4_k, q5_k, q6_k or q4_k_m",
              name);
}

ConversionProgress conversion_progress(const InterruptWatch& watch) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  return [terminal, &watch](std::size_t done, std::size_t total) {
    if (watch.requested()) throw Interrupted(watch.signal());
    if (!terminal || total == 0) return;
    fmt::print(stderr, "\r{:3} %{}", done * 100 / total, done == total ? "\n" : "");
    std::fflush(stderr);
  };
}

void print_report(const ConversionReport& report, const std::string& out) {
  const auto size = [](std::size_t bytes) { return readable_bytes(static_cast<double>(bytes)); };
  if (report.bytes_in > 0) {
    fmt::print("{}: {} from {}\n", out, size(report.bytes_out), size(report.bytes_in));
  } else {
    fmt::print("{}: {}\n", out, size(report.bytes_out));
  }
  for (const std::string& name : report.kept) fmt::print("kept as it was: {}\n", name);
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
}

}  // namespace laconic::cli
