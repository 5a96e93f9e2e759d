// SPDX-License-Identifier: Apache-2.0
// A chat template from foreign bytes: it renders or is refused, within small limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "laconic/error.h"
#include "text/jinja_eval.h"
#include "text/jinja_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto context = nlohmann::ordered_json::parse(R"({
    "messages": [{"role": "system", "content": " s "}, {"role": "user", "content": "é<think>"},
                 {"role": "assistant", "content": "a</think>b", "tool_calls": [{"id": 1.5}]}],
    "tools": [{"name": "f", "required": ["x", true, null, -3]}],
    "a": 1, "b": [2, 1, 3], "c": "text", "d": {"k": "v"}, "add_generation_prompt": true})");
  laconic::jinja::Limits limits;
  limits.steps = 20000;
  limits.bytes = 1u << 20;
  limits.output = 1u << 18;
  try {
    const auto tree = laconic::jinja::parse_template({reinterpret_cast<const char*>(data), size});
    laconic::jinja::render(tree, context, limits);
  } catch (const laconic::Error&) {
    // Refused in one sentence: what is asked for.
  }
  return 0;
}
