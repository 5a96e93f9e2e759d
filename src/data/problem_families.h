// SPDX-License-Identifier: Apache-2.0
// What the three families share: a draft before it has a name, the words, and the size range.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/problem_draw.h"

namespace laconic {

struct ProblemDraft {
  std::string question;
  std::string reasoning;
  std::int64_t answer = 0;
};

// Sizes and numbers at a difficulty in (0, 1]: `easy` grows to `hard` in proportion.
inline std::int64_t scaled(double difficulty, std::int64_t easy, std::int64_t hard) {
  return easy + std::llround(difficulty * static_cast<double>(hard - easy));
}

ProblemDraft draft_quantities(ProblemDraw& draw, double difficulty);
ProblemDraft draft_ledger(ProblemDraw& draw, double difficulty);
ProblemDraft draft_passcode(ProblemDraw& draw, double difficulty);

// A passcode problem of full size with that many steps, at least one, that asks for a code alone.
struct PasscodeDraft {
  ProblemDraft draft;
  std::string code;  // "the red box"
};
PasscodeDraft draft_passcode_of(ProblemDraw& draw, std::size_t steps, bool worked_out);

// Names of people, short so that a small vocabulary holds each as one token.
std::span<const std::string_view> problem_names();
// Things that people count, in the plural.
std::span<const std::string_view> problem_items();

// "Ann", "Ann and Ben", "Ann, Ben and Cal".
std::string spoken_list(std::span<const std::string_view> words);

}  // namespace laconic
