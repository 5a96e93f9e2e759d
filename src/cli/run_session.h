// SPDX-License-Identifier: Apache-2.0
// `laconic run --session FILE`: an answer whose text and cache are kept in a file. Where the file
// exists, its text goes on: with the prompt that is given now, or, without one, with the answer
// that was cut short. Through a chat template a prompt is the next message of the conversation.
//
// A message that several runs wrote is put together from its ids, never from what each run showed:
// a cut may go through a character or a </think>.
//
// Where the template changes what was said before (many drop old thinking), the conversation is
// read anew, so that the model always sees exactly what its template says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/run_options.h"

namespace laconic::cli {

class RunSession {
 public:
  // Without --session nothing is loaded or saved. All three outlive this.
  RunSession(const Model& model, Session& session, const RunOptions& options);

  // Begins the answer. Error(kUsage) for options that have no effect on a text that goes on.
  SequenceId start();

  // After the answer. Error(kResource) when there is none because the prompt did not fit; the file
  // stays as it was.
  void save();

 private:
  struct Chat {
    std::vector<ChatMessage> messages;  // those before the answer
    std::string seen;                   // what the template made of them
    std::string content;                // of a loaded file: the answer's own message
  };

  bool keeps() const { return !options_.session.empty(); }
  bool prompted() const { return options_.prompt || options_.file || options_.ids; }
  bool chats() const { return !options_.ids && !options_.raw && model_.has_chat_template(); }
  void begin();
  void load();
  void read_note(const std::string& note);
  void go_on();                    // with the answer that was cut short
  void go_on_with_plain_text();    // ids, or text without a template
  void go_on_with_message();       // through the chat template
  void add(const Prompt& prompt);  // a sequence that reads the whole prompt
  void extend(const std::vector<std::int32_t>& more);
  std::span<const std::int32_t> answer() const;  // the ids of the answer so far

  const Model& model_;
  Session& session_;
  const RunOptions& options_;
  GenerateOptions generate_;
  SequenceId sequence_ = 0;
  std::size_t begin_ = 0;     // ids in front of the answer
  bool thinking_ = false;     // they end inside a <think> block
  std::optional<Chat> chat_;  // nothing where the text was not written by a template
};

}  // namespace laconic::cli
