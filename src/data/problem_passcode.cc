// SPDX-License-Identifier: Apache-2.0
// A code that is read once: stated in the question, or worked out once early in the reasoning, and
// asked for after a long computation that has nothing to do with it.
//
// The reasoning never writes the code again between its first line and its last: a cache that has
// dropped those rows leaves nothing to copy. A stated code stands in the question, a worked-out one
// only in the reasoning.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "data/problem_families.h"

namespace laconic {
namespace {

constexpr std::array<std::string_view, 12> kColors = {"black",  "blue", "brown",  "golden",
                                                      "green",  "grey", "orange", "pink",
                                                      "purple", "red",  "white",  "yellow"};
constexpr std::array<std::string_view, 10> kPlaces = {"bag",  "box",    "case", "chest", "door",
                                                      "gate", "locker", "room", "safe",  "trunk"};
constexpr std::size_t kCheckedSteps = 3;

struct Code {
  std::string name;                  // "the red box"
  std::int64_t left = 0, right = 0;  // worked out as left + right; right 0: stated
  std::int64_t value() const { return left + right; }
};

struct Step {
  char sign = '+';  // '+', '-', or '*' (by 2)
  std::int64_t number = 0, before = 0, after = 0;
};

std::int64_t most_counter(double difficulty) { return scaled(difficulty, 30, 200); }

// Above what else is written: the code then stands nowhere by chance.
struct CodeRange {
  std::int64_t low, high;
};

CodeRange code_range(double difficulty) {
  return {most_counter(difficulty) + 1, scaled(difficulty, 99, 499)};
}

// Labels of steps can come to be larger than the counter.
CodeRange code_range_beside(std::size_t steps) {
  const CodeRange usual = code_range(1.0);
  const std::int64_t low = std::max(usual.low, static_cast<std::int64_t>(steps) + 1);
  return {low, std::max(usual.high, low + 99)};
}

std::vector<Code> draw_codes(ProblemDraw& draw, double difficulty, const CodeRange& range,
                             bool worked_out) {
  const auto count = static_cast<std::size_t>(draw.between(1, scaled(difficulty, 1, 2)));
  const auto colors = draw.pick(std::span<const std::string_view>(kColors), count);
  const std::string_view place = kPlaces[draw.below(kPlaces.size())];
  std::vector<Code> codes;
  for (const std::string_view color : colors) {
    Code code;
    code.name = fmt::format("the {} {}", color, place);
    code.left = draw.between(range.low, range.high);
    if (worked_out) {
      code.right = draw.between(range.low / 2, code.left - 1);
      code.left -= code.right;
    }
    const bool twice = !codes.empty() && codes.front().value() == code.value();
    if (!twice) codes.push_back(code);
  }
  return codes;
}

std::int64_t draw_start(ProblemDraw& draw, double difficulty) {
  return draw.between(5, scaled(difficulty, 20, 60));
}

std::size_t draw_count(ProblemDraw& draw, double difficulty) {
  return static_cast<std::size_t>(
      draw.between(scaled(difficulty, 3, 8), scaled(difficulty, 5, 48)));
}

std::vector<Step> draw_steps(ProblemDraw& draw, double difficulty, std::int64_t start,
                             std::size_t count) {
  const std::int64_t largest = scaled(difficulty, 9, 40), most = most_counter(difficulty);
  std::vector<Step> steps;
  std::int64_t now = start;
  while (steps.size() < count) {
    Step step;
    const auto die = draw.between(1, 100);
    step.before = now;
    if (die <= 8) {
      step.sign = '*';
      step.number = 2;
      step.after = now * 2;
    } else {
      step.sign = die <= 52 ? '+' : '-';
      step.number = draw.between(2, largest);
      step.after = step.sign == '+' ? now + step.number : now - step.number;
    }
    if (step.after < 1 || step.after > most) continue;
    now = step.after;
    steps.push_back(step);
  }
  return steps;
}

std::string question_text(const std::vector<Code>& codes, const std::vector<Step>& steps,
                          std::int64_t start, std::size_t asked, bool with_counter) {
  std::string out;
  for (const Code& code : codes) {
    out += code.right == 0 ? fmt::format("The code of {} is {}. ", code.name, code.left)
                           : fmt::format("The code of {} is the sum of {} and {}. ", code.name,
                                         code.left, code.right);
  }
  out += fmt::format("A counter starts at {}.", start);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out += steps[i].sign == '*'   ? fmt::format(" {}. Double it.", i + 1)
           : steps[i].sign == '+' ? fmt::format(" {}. Add {}.", i + 1, steps[i].number)
                                  : fmt::format(" {}. Take away {}.", i + 1, steps[i].number);
  }
  if (with_counter) {
    return out + fmt::format(" Follow the counter. What is the code of {} plus the counter?",
                             codes[asked].name);
  }
  return out +
         fmt::format(" Follow the counter. Then say: what is the code of {}?", codes[asked].name);
}

std::string reasoning_text(const std::vector<Code>& codes, const std::vector<Step>& steps,
                           std::int64_t start, std::size_t asked, bool with_counter) {
  const Code& code = codes[asked];
  const std::int64_t counter = steps.back().after;
  std::string out = fmt::format("We need the code of {}{}.\n", code.name,
                                with_counter ? " plus the counter" : "");
  for (const Code& c : codes) {
    if (c.right == 0) continue;
    out += fmt::format("The code of {} is {} + {} = {}.\n", c.name, c.left, c.right, c.value());
  }
  out += fmt::format("The counter starts at {}.\n", start);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& s = steps[i];
    out += fmt::format("{}. {} {} {} = {}.\n", i + 1, s.before, s.sign, s.number, s.after);
  }
  out += "Wait, let me check the last steps.\n";
  for (std::size_t i = steps.size(); i-- > steps.size() - std::min(kCheckedSteps, steps.size());) {
    const Step& s = steps[i];
    const char back = s.sign == '+' ? '-' : s.sign == '-' ? '+' : '/';
    out += fmt::format("{}. {} {} {} = {}, yes.\n", i + 1, s.after, back, s.number, s.before);
  }
  out += fmt::format("The counter ends at {}. The code of {} is {}.", counter, code.name,
                     code.value());
  if (with_counter) {
    out += fmt::format(" {} + {} = {}.", code.value(), counter, code.value() + counter);
  }
  return out;
}

ProblemDraft draft_of(const std::vector<Code>& codes, const std::vector<Step>& steps,
                      std::int64_t start, std::size_t asked, bool with_counter) {
  ProblemDraft draft;
  draft.question = question_text(codes, steps, start, asked, with_counter);
  draft.reasoning = reasoning_text(codes, steps, start, asked, with_counter);
  draft.answer = codes[asked].value() + (with_counter ? steps.back().after : 0);
  return draft;
}

}  // namespace

// The order of the draws is part of the frozen mixture.
ProblemDraft draft_passcode(ProblemDraw& draw, double difficulty) {
  const bool worked_out = draw.chance(60), with_counter = draw.chance(50);
  const std::vector<Code> codes = draw_codes(draw, difficulty, code_range(difficulty), worked_out);
  const std::int64_t start = draw_start(draw, difficulty);
  const std::size_t count = draw_count(draw, difficulty);
  const std::vector<Step> steps = draw_steps(draw, difficulty, start, count);
  return draft_of(codes, steps, start, draw.below(codes.size()), with_counter);
}

PasscodeDraft draft_passcode_of(ProblemDraw& draw, std::size_t count, bool worked_out) {
  constexpr double kFullSize = 1.0;
  const std::vector<Code> codes = draw_codes(draw, kFullSize, code_range_beside(count), worked_out);
  const std::int64_t start = draw_start(draw, kFullSize);
  const std::vector<Step> steps = draw_steps(draw, kFullSize, start, count);
  const std::size_t asked = draw.below(codes.size());
  return {draft_of(codes, steps, start, asked, /*with_counter=*/false), codes[asked].name};
}

}  // namespace laconic
