// SPDX-License-Identifier: Apache-2.0
// From what was typed to the ids that an answer starts from.
#include "base/error.h"
#include "cli/run_options.h"
#include "cli/values.h"
#include "text/reasoning.h"

namespace laconic::cli {
namespace {

Reasoning reasoning_mode(const std::string& name) {
  return name == "on" ? Reasoning::kOn : name == "off" ? Reasoning::kOff : Reasoning::kAuto;
}

}  // namespace

std::string prompt_text(const RunOptions& options) {
  return options.prompt ? *options.prompt : read_prompt_text(*options.file);
}

Prompt make_chat_prompt(const Model& model, const std::vector<ChatMessage>& messages,
                        const RunOptions& options) {
  Prompt prompt;
  prompt.text = model.apply_chat_template(messages, reasoning_mode(options.reasoning));
  // A template writes the special tokens itself.
  prompt.ids = model.tokenize(prompt.text, false);
  prompt.reasoning_open = prompt_opens_reasoning(prompt.text);
  return prompt;
}

Prompt make_prompt(const Model& model, const RunOptions& options) {
  if (options.ids) {
    Prompt prompt;
    prompt.ids = parse_ids(*options.ids, "--ids");
    if (model.has_tokenizer()) {
      prompt.reasoning_open = prompt_opens_reasoning(model.detokenize(prompt.ids));
    }
    return prompt;
  }
  if (!options.raw && model.has_chat_template()) {
    std::vector<ChatMessage> messages;
    if (options.system) messages.push_back({"system", *options.system});
    messages.push_back({"user", prompt_text(options)});
    return make_chat_prompt(model, messages, options);
  }
  const char* idle = options.system                ? "--system-prompt"
                     : options.reasoning != "auto" ? "--reasoning"
                                                   : nullptr;
  if (idle) {
    throw_usage("{} needs a chat template and {} has none; --chat-template-file gives one", idle,
                options.model);
  }
  const std::string text = prompt_text(options);
  return {text, model.tokenize(text), prompt_opens_reasoning(text)};
}

}  // namespace laconic::cli
