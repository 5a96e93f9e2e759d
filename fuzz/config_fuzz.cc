// SPDX-License-Identifier: Apache-2.0
// config.json bytes -> ModelConfig, and everything that is computed from an accepted one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "model/checkpoint.h"
#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace laconic;
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const ModelConfig config = config_from_hf(parse_json(text, "config.json"), "config.json");
    rope_table(config.rope, config.head_dim);
    decoder_tensors(config);
    // What was accepted must come back the same from both formats.
    const ModelConfig again = config_from_hf(config_to_hf(config, DType::kF32), "written");
    const ModelConfig twin = config_from_gguf(config_to_gguf(config), "written");
    if (again.layers != config.layers || twin.head_dim != config.head_dim) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
