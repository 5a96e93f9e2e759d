// SPDX-License-Identifier: Apache-2.0
#include "cli/run_chat.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/run_output.h"

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

// One sequence whose rows are used again for as long as the template's text begins with what the
// sequence has read and written. Templates that drop old thinking begin a new one instead, so that
// the model always sees exactly what its template says.
class Conversation {
 public:
  Conversation(const Model& model, Session& session, const RunOptions& options)
      : model_(model), session_(session), options_(options) {
    if (options.system) messages_.push_back({"system", *options.system});
  }

  void turn(std::string message) {
    messages_.push_back({"user", std::move(message)});
    const Prompt prompt = make_chat_prompt(model_, messages_, options_);
    GenerateOptions generate = options_.generate_options(model_);
    generate.reasoning_open = prompt.reasoning_open;

    const SequenceId sequence = begin(prompt.ids, generate);
    InterruptWatch interrupt;
    AnswerPrinter printer;
    while (session_.step([&](const StepEvent& event) { printer.show(event); })) {
      if (interrupt.requested()) session_.cancel(sequence);
    }
    printer.finish();

    const Generation& result = session_.result(sequence);
    print_statistics(result, options_.kv.options());
    messages_.push_back({"assistant", result.answer});
    seen_ = prompt.ids;
    seen_.insert(seen_.end(), result.ids.begin(), result.ids.end());
  }

 private:
  SequenceId begin(std::span<const std::int32_t> ids, const GenerateOptions& generate) {
    const bool goes_on = sequence_ && seen_.size() < ids.size() &&
                         std::equal(seen_.begin(), seen_.end(), ids.begin());
    if (goes_on) {
      session_.extend(*sequence_, ids.subspan(seen_.size()), generate);
      return *sequence_;
    }
    if (sequence_) session_.release(*sequence_);
    sequence_.reset();
    sequence_ = session_.add(ids, generate);
    return *sequence_;
  }

  const Model& model_;
  Session& session_;
  const RunOptions& options_;
  std::vector<ChatMessage> messages_;
  std::optional<SequenceId> sequence_;
  std::vector<std::int32_t> seen_;  // ids that the sequence has read and written
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
  if (options.prompt || options.file) conversation.turn(prompt_text(options));
  while (std::optional<std::string> message = read_message()) {
    conversation.turn(*std::move(message));
  }
  return 0;
}

}  // namespace laconic::cli
