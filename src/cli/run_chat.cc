// SPDX-License-Identifier: Apache-2.0
#include "cli/run_chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/run_output.h"
#include "cli/seen_text.h"
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
// that the sequence has read and written (cli/seen_text.h). Templates that drop old thinking begin
// a new sequence instead, so that the model always sees exactly what its template says.
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
    const auto more = sequence_ && seen_
                          ? ids_beyond(model_, *seen_, session_.ids(*sequence_), prompt.text)
                          : std::nullopt;
    if (more) {
      session_.extend(*sequence_, *more, generate);
      return;
    }
    const SequenceId fresh = session_.add(prompt.ids, generate);
    forget();  // after add(), which may refuse
    sequence_ = fresh;
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
    seen_ = text_with_answer(model_, prompt.text, session_.ids(*sequence_), result.ids.size());
  }

  void forget() {
    if (sequence_) session_.release(*sequence_);
    sequence_.reset();
    seen_.reset();
  }

  const Model& model_;
  Session& session_;
  const RunOptions& options_;
  std::vector<ChatMessage> messages_;
  std::optional<SequenceId> sequence_;
  std::optional<std::string> seen_;  // the sequence's text, where it can be said
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
