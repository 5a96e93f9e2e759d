// SPDX-License-Identifier: Apache-2.0
// Chat templates: the subset of Jinja2 that the templates of reasoning models use.
//
// Statements: if/elif/else, for (with loop.*, else, filter, recursive unpacking), set (also block
// and namespace attributes), macro, generation blocks; whitespace control with trim_blocks and
// lstrip_blocks on, as transformers renders. Expressions, filters and tests as listed in
// docs/chat-templates.md. What is outside the subset is refused when the template is parsed, naming
// the line. Rendering is bounded: a template cannot loop or recurse for ever.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"

namespace laconic {

class ChatTemplate {
 public:
  explicit ChatTemplate(std::string_view source);  // Error(kInput) with the line
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // `context` is an object: messages, add_generation_prompt, bos_token, eos_token, tools, and any
  // template arguments (enable_thinking). raise_exception(...) in the template is an Error(kInput).
  std::string render(const nlohmann::ordered_json& context) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace laconic
