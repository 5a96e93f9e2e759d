// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include "base/error.h"
#include "text/jinja_eval.h"
#include "text/jinja_parser.h"

namespace laconic {

struct ChatTemplate::Impl {
  jinja::Block tree;
};

ChatTemplate::ChatTemplate(std::string_view source)
    : impl_(std::make_unique<Impl>(Impl{jinja::parse_template(source)})) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const nlohmann::ordered_json& context) const {
  if (!context.is_object()) {
    throw_usage("the context of a chat template must be an object, not {}", context.type_name());
  }
  return jinja::render(impl_->tree, context);
}

}  // namespace laconic
