// SPDX-License-Identifier: Apache-2.0
// Where an answer goes: a stream for people, one JSON object for programs, logits and a trace of
// the cache for those who study it.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "laconic/session.h"

namespace laconic::cli {

// Streams an answer to stdout. Thinking is dimmed on a terminal and stands between <think> tags
// elsewhere.
class AnswerPrinter {
 public:
  AnswerPrinter();
  ~AnswerPrinter();  // finishes, so that a terminal is not left dim by an error
  AnswerPrinter(const AnswerPrinter&) = delete;
  AnswerPrinter& operator=(const AnswerPrinter&) = delete;

  void show(const StepEvent& event);
  void finish();  // closes what is open and ends the line

 private:
  enum class Part { kNothing, kReasoning, kAnswer };
  void write(const std::string& text);
  void enter(Part part);
  bool terminal_;
  Part part_ = Part::kNothing;
  char last_ = '\n';
};

// Two lines on stderr about one answer: speed, and what the cache held while it was written.
void print_statistics(const Generation& generation, const KvOptions& kv);

// The object of --json.
Json generation_json(const Generation& generation, const KvOptions& kv);

// JSON text on one line or indented; bytes that are not UTF-8 become U+FFFD.
std::string dump_json(const Json& document, int indent = -1);

// `logits` [1 + generated, vocab], f32. PRECONDITION: the generation kept them.
void write_logits(const std::filesystem::path& path, const Generation& generation);

}  // namespace laconic::cli
