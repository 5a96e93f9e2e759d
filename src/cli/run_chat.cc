// SPDX-License-Identifier: Apache-2.0
#include "cli/run_chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/run_output.h"
#include "cli/standard_streams.h"

namespace laconic::cli {
namespace {

// The next message, or nothing at the end of the input. Empty lines say nothing.
std::optional<std::string> read_message() {
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  for (std::string line;;) {
    if (terminal) std::cout << "> " << std::flush;
    if (!std::getline(std::cin, line)) return std::nullopt;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return line;
  }
}

// One sequence whose rows are used again for as long as the template's text begins with the text
// that the sequence has read and written. Texts are compared, not ids: a model need not spell its
// words as the tokenizer would. Templates that drop old thinking begin a new sequence instead, so
// that the model always sees exactly what its template says.
class Conversation {
 public:
  Conversation(const Model& model, Session& session, const RunOptions& options)
      : model_(model), session_(session), options_(options) {
    if (options.system) messages_.push_back({"system", *options.system});
  }

  // An Error leaves the conversation as it was before the message.
  void turn(std::string message) {
    messages_.push_back({"user", std::move(message)});
    try {
      const Prompt prompt = make_chat_prompt(model_, messages_, options_);
      begin(prompt);
      answer(prompt);
    } catch (const Error&) {
      messages_.pop_back();
      throw;
    }
  }

 private:
  void begin(const Prompt& prompt) {
    GenerateOptions generate = options_.generate_options(model_);
    generate.reasoning_open = prompt.reasoning_open;
    if (const auto more = continuation(prompt.text)) {
      session_.extend(*sequence_, *more, generate);
      seen_ids_.insert(seen_ids_.end(), more->begin(), more->end());
      return;
    }
    const SequenceId fresh = session_.add(prompt.ids, generate);
    forget();  // after add(), which may refuse
    sequence_ = fresh;
    seen_ids_ = prompt.ids;
  }

  void answer(const Prompt& prompt) {
    try {
      InterruptWatch interrupt;
      AnswerPrinter printer;
      while (session_.step([&](const StepEvent& event) { printer.show(event); })) {
        if (interrupt.requested() || std::ferror(stdout) != 0) session_.cancel(*sequence_);
      }
      printer.finish();
      const Generation& result = session_.result(*sequence_);
      if (result.finish_reason == FinishReason::kKvFull && result.ids.empty()) {
        throw_resource("the message does not fit beside what the cache holds; --kv-memory is full");
      }
    } catch (const Error&) {
      forget();  // its rows are not those of the history
      throw;
    }
    const Generation& result = session_.result(*sequence_);
    print_statistics(result, options_.kv.options());
    messages_.push_back({"assistant", result.answer});
    remember(prompt.text, result.ids);
  }

  void remember(const std::string& prompt, const std::vector<std::int32_t>& ids) {
    const std::string before = model_.detokenize(seen_ids_);
    seen_ids_.insert(seen_ids_.end(), ids.begin(), ids.end());
    const std::string after = model_.detokenize(seen_ids_);
    known_ = after.starts_with(before);
    if (known_) seen_ = prompt + after.substr(before.size());
  }

  // The ids of what `text` says beyond the text seen; nothing when it does not begin with that, or
  // when the rest means something else on its own.
  std::optional<std::vector<std::int32_t>> continuation(const std::string& text) const {
    if (!sequence_ || !known_ || seen_.size() >= text.size() || !text.starts_with(seen_)) {
      return std::nullopt;
    }
    const std::string_view rest = std::string_view(text).substr(seen_.size());
    std::vector<std::int32_t> more = model_.tokenize(rest, false);
    std::vector<std::int32_t> all = seen_ids_;
    all.insert(all.end(), more.begin(), more.end());
    if (model_.detokenize(all) != model_.detokenize(seen_ids_).append(rest)) return std::nullopt;
    return more;
  }

  void forget() {
    if (sequence_) session_.release(*sequence_);
    sequence_.reset();
    known_ = false;
  }

  const Model& model_;
  Session& session_;
  const RunOptions& options_;
  std::vector<ChatMessage> messages_;
  std::optional<SequenceId> sequence_;
  std::vector<std::int32_t> seen_ids_;  // what the sequence has read and written
  std::string seen_;                    // the text that these ids stand for
  bool known_ = false;                  // whether that text can be said
};

}  // namespace

int run_conversation(const Model& model, Session& session, const RunOptions& options) {
  if (!model.has_chat_template()) {
    throw_usage(
        "a conversation needs a chat template and {} has none; --chat-template-file gives "
        "one",
        options.model);
  }
  Conversation conversation(model, session, options);
  int code = 0;
  const auto turn = [&](std::string message) {
    try {
      conversation.turn(std::move(message));
    } catch (const Error& error) {
      fmt::print(stderr, "laconic: {}; this message is left out\n", error.what());
      code = 1;
    }
    check_stdout();
  };
  if (options.prompt || options.file) turn(prompt_text(options));
  while (std::optional<std::string> message = read_message()) turn(*std::move(message));
  return code;
}

}  // namespace laconic::cli
