// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include "cli/run_output.h"
#include "cli/values.h"

namespace laconic::cli {
namespace {

constexpr const char* kDim = "\x1b[2m";
constexpr const char* kPlain = "\x1b[0m";

std::string speed(std::size_t tokens, double ms) {
  return ms > 0 ? fmt::format(", {:.1f} tokens/s", static_cast<double>(tokens) * 1e3 / ms) : "";
}

}  // namespace

AnswerPrinter::AnswerPrinter() : terminal_(isatty(STDOUT_FILENO) == 1) {}

AnswerPrinter::~AnswerPrinter() { finish(); }

void AnswerPrinter::write(const std::string& text) {
  if (text.empty()) return;
  std::fwrite(text.data(), 1, text.size(), stdout);
  last_ = text.back();
}

void AnswerPrinter::enter(Part part) {
  if (part == part_) return;
  if (part_ == Part::kReasoning) {
    write("\n");
    write(terminal_ ? std::string(kPlain) + "\n" : "</think>\n\n");
  }
  if (part == Part::kReasoning) write(terminal_ ? kDim : "<think>\n");
  part_ = part;
}

void AnswerPrinter::show(const StepEvent& event) {
  if (!event.reasoning.empty()) {
    enter(Part::kReasoning);
    write(event.reasoning);
  }
  if (!event.answer.empty()) {
    enter(Part::kAnswer);
    write(event.answer);
  }
  std::fflush(stdout);
}

void AnswerPrinter::finish() {
  // An answer that ended while thinking leaves its block open, as the model did.
  if (part_ == Part::kReasoning && terminal_) write(kPlain);
  if (last_ != '\n') write("\n");
  part_ = Part::kNothing;
  std::fflush(stdout);
}

void print_statistics(const Generation& g, const KvOptions& kv) {
  fmt::print(stderr, "prompt {} tokens{} | answer {} tokens{} | {}\n", g.timings.prompt_n,
             speed(g.timings.prompt_n, g.timings.prompt_ms), g.ids.size(),
             speed(g.timings.decode_steps, g.timings.predicted_ms),
             finish_reason_name(g.finish_reason));
  std::string cache =
      fmt::format("kv {}: peak {} in at most {} rows per head", kv.policy_name(),
                  readable_bytes(static_cast<double>(g.kv.peak_bytes)), g.kv.peak_rows);
  if (kv.policy != KvPolicy::kFull) {
    cache += fmt::format(", {} compressions in {:.1f} ms", g.kv.compressions, g.timings.kv_ms);
  }
  fmt::print(stderr, "{}\n", cache);
}

}  // namespace laconic::cli
