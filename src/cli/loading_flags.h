// SPDX-License-Identifier: Apache-2.0
// Flags that subcommands which answer with a model share: its weights' type while loading, the
// longest sequence, and the cache's memory.
#pragma once

#include <cstddef>
#include <string>

namespace CLI {
class App;
}

namespace laconic::cli {

// "q8_0" or "q4_0", in capitals too as GGUF files name them; `type` gets the small letters.
void add_quantize(CLI::App& app, std::string& type);

// 0: as long as the model allows.
void add_context(CLI::App& app, std::size_t& context);

// A size for parse_size().
void add_kv_memory(CLI::App& app, std::string& size);

}  // namespace laconic::cli
