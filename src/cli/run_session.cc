// SPDX-License-Identifier: Apache-2.0
#include "cli/run_session.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <span>
#include <utility>

#include "base/error.h"
#include "cli/run_output.h"
#include "cli/seen_text.h"
#include "cli/values.h"
#include "engine/model_impl.h"
#include "text/reasoning.h"

namespace laconic::cli {
namespace {

// Whether a text ends inside a <think> block, when what stands before it does or does not.
bool thinking_after(bool before, const std::string& text) {
  if (!before) return prompt_opens_reasoning(text);
  ReasoningParser parser(/*inside=*/true);
  parser.push(text);
  return parser.inside();
}

}  // namespace

RunSession::RunSession(const Model& model, Session& session, const RunOptions& options)
    : model_(model),
      session_(session),
      options_(options),
      generate_(options.generate_options(model)) {}

SequenceId RunSession::start() {
  if (!keeps() || !std::filesystem::exists(options_.session)) {
    begin();
    return sequence_;
  }
  if (options_.system) {
    throw_usage("--system-prompt has no effect on {}, a text that has begun", options_.session);
  }
  if (options_.reasoning != "auto" && !(prompted() && chats())) {
    throw_usage("--reasoning has no effect where no chat template writes the prompt");
  }
  load();
  if (!prompted()) {
    go_on();
  } else if (chats()) {
    go_on_with_message();
  } else {
    go_on_with_plain_text();
  }
  return sequence_;
}

void RunSession::begin() {
  if (!chats()) return add(make_prompt(model_, options_));
  chat_.emplace();
  if (options_.system) chat_->messages.push_back({"system", *options_.system});
  chat_->messages.push_back({"user", prompt_text(options_)});
  add(make_chat_prompt(model_, chat_->messages, options_));
}

void RunSession::load() {
  std::string note;
  sequence_ = session_.load(options_.session, &note);
  read_note(note);
}

void RunSession::go_on() {
  const auto so_far = answer();
  if (!so_far.empty() && model_.impl().is_end(so_far.back()) && !options_.ignore_eos) {
    throw_usage("the answer in {} is complete; give a prompt to go on", options_.session);
  }
  generate_.reasoning_open = thinking_;
  generate_.answered = so_far.size();
  session_.extend(sequence_, {}, generate_);
}

void RunSession::go_on_with_plain_text() {
  const std::vector<std::int32_t> more =
      options_.ids ? parse_ids(*options_.ids, "--ids")
                   : model_.tokenize(prompt_text(options_), /*add_special=*/false);
  chat_.reset();
  if (model_.has_tokenizer()) {
    ReasoningParser parser(thinking_);
    parser.push(model_.detokenize(answer()));
    thinking_ = thinking_after(parser.inside(), model_.detokenize(more));
  }
  extend(more);
}

void RunSession::go_on_with_message() {
  if (!chat_) {
    throw_usage("{} holds no conversation: its text came with --raw or --ids, go on in this way",
                options_.session);
  }
  chat_->messages.push_back({"assistant", std::move(chat_->content)});
  chat_->messages.push_back({"user", prompt_text(options_)});
  const Prompt prompt = make_chat_prompt(model_, chat_->messages, options_);
  const auto ids = session_.ids(sequence_);
  const auto seen = text_with_answer(model_, chat_->seen, ids, answer().size());
  const auto more = seen ? ids_beyond(model_, *seen, ids, prompt.text) : std::nullopt;
  if (more) {
    thinking_ = prompt.reasoning_open;
    chat_->seen = prompt.text;
    return extend(*more);
  }
  fmt::print(stderr, "the chat template changes what was said before: it is read anew\n");
  session_.release(sequence_);
  add(prompt);
}

void RunSession::add(const Prompt& prompt) {
  thinking_ = generate_.reasoning_open = prompt.reasoning_open;
  sequence_ = session_.add(prompt.ids, generate_);
  begin_ = prompt.ids.size();
  if (chat_) chat_->seen = prompt.text;
}

void RunSession::extend(const std::vector<std::int32_t>& more) {
  generate_.reasoning_open = thinking_;
  session_.extend(sequence_, more, generate_);
  begin_ = session_.ids(sequence_).size();
}

std::span<const std::int32_t> RunSession::answer() const {
  return session_.ids(sequence_).subspan(begin_);
}

void RunSession::save() {
  if (!keeps()) return;
  const Generation& result = session_.result(sequence_);
  if (result.finish_reason == FinishReason::kKvFull && result.ids.empty()) {
    throw_resource("the prompt does not fit beside what the cache holds, --kv-memory is full; {}",
                   std::filesystem::exists(options_.session) ? "the session stays as it was"
                                                             : "no session is written");
  }
  Json note = {{"answer", begin_}, {"thinking", thinking_}};
  if (chat_) {
    note["messages"] = Json::array();
    for (const ChatMessage& message : chat_->messages) {
      note["messages"].push_back({{"role", message.role}, {"content", message.content}});
    }
    note["seen"] = chat_->seen;
    // A stop text is no part of the message, unless the answer goes on behind it.
    note["content"] = split_reasoning(result.before + result.text, thinking_).answer;
  }
  session_.save(sequence_, options_.session, dump_json(note));
  if (options_.json) return;
  const auto bytes = static_cast<double>(std::filesystem::file_size(options_.session));
  fmt::print(stderr, "session {}: {} tokens, {}\n", options_.session,
             session_.ids(sequence_).size(), readable_bytes(bytes));
}

// A note of another program's says nothing here: all text is taken for the answer.
void RunSession::read_note(const std::string& note) {
  if (!Json::accept(note)) return;
  const std::string where = "the note in " + options_.session;
  const Json document = parse_json(note, where);
  if (!document.is_object() || !document.contains("answer")) return;
  begin_ = json_required<std::size_t>(document, "answer", where);
  const std::size_t tokens = session_.ids(sequence_).size();
  if (begin_ > tokens) {
    throw_input("{}: the answer begins behind {} tokens, the text has {}", where, begin_, tokens);
  }
  thinking_ = json_required<bool>(document, "thinking", where);
  const auto messages = document.find("messages");
  if (messages == document.end()) return;
  if (!messages->is_array()) throw_input("{}: \"messages\" must be an array", where);
  chat_.emplace();
  for (const Json& message : *messages) {
    chat_->messages.push_back({json_required<std::string>(message, "role", where),
                               json_required<std::string>(message, "content", where)});
  }
  chat_->seen = json_required<std::string>(document, "seen", where);
  chat_->content = json_required<std::string>(document, "content", where);
}

}  // namespace laconic::cli
