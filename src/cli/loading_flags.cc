// SPDX-License-Identifier: Apache-2.0
#include "cli/loading_flags.h"

#include <CLI/CLI.hpp>

#include "cli/numbers.h"

namespace laconic::cli {

void add_quantize(CLI::App& app, std::string& type) {
  app.add_option("--quantize", type, "quantise while loading: q8_0, q4_0")
      ->transform(CLI::IsMember({"q8_0", "q4_0"}, CLI::ignore_case))
      ->type_name("TYPE")
      ->group("Machine");
}

void add_context(CLI::App& app, std::size_t& context) {
  add_count(app, "-c,--ctx-size,--max-model-len", context, 0, kMostCount,
            "longest sequence; 0: the model's (0)")
      ->group("Machine");
}

void add_kv_memory(CLI::App& app, std::string& size) {
  app.add_option("--kv-memory", size, "most memory for the cache, like 2G (what is free)")
      ->type_name("SIZE")
      ->group("KV cache");
}

}  // namespace laconic::cli
