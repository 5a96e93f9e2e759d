// SPDX-License-Identifier: Apache-2.0
#include "data/problem_trace.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "data/problem_solver.h"

namespace laconic::test {
namespace {

struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The lines of a reasoning, taken one after another.
class Lines {
 public:
  explicit Lines(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      lines_.push_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  bool more() const { return next_ < lines_.size(); }
  // The words of the next line, which stays the one that faults speak of.
  Words take() {
    if (!more()) throw Fault("the reasoning ends too early");
    now_ = lines_[next_++];
    return words_of(now_);
  }
  std::string_view peek() const { return more() ? lines_[next_] : std::string_view(); }
  void expect(bool right, const char* what) const {
    if (!right) throw Fault(std::string(what) + " in the line '" + std::string(now_) + "'");
  }
  void expect_line(std::string_view wanted) {
    take();
    expect(now_ == wanted, "another line was due");
  }

 private:
  std::vector<std::string_view> lines_;
  std::string_view now_;
  std::size_t next_ = 0;
};

constexpr std::size_t kSteppedBack = 3;  // in the checks of ledger and passcode

std::string number(std::int64_t value) { return std::to_string(value); }
std::string number(std::size_t value) { return std::to_string(value); }

std::vector<Words> parts_between(const Words& words, std::string_view mark) {
  std::vector<Words> parts(1);
  for (const std::string_view word : words) {
    if (word == mark) {
      parts.emplace_back();
    } else {
      parts.back().push_back(word);
    }
  }
  return parts;
}

// --- quantities ---

// A formula with numbers for names.
std::string in_numbers(const Words& formula,
                       const std::map<std::string_view, std::int64_t>& values) {
  std::string out;
  for (const std::string_view word : formula) {
    const auto found = values.find(word);
    out += (out.empty() ? "" : " ") +
           (found == values.end() ? std::string(word) : number(found->second));
  }
  return out;
}

std::int64_t worked_out(const Words& formula,
                        const std::map<std::string_view, std::int64_t>& values) {
  const auto value = [&](std::string_view word) {
    const auto found = values.find(word);
    return found == values.end() ? number_of(word) : found->second;
  };
  return formula.size() == 1 ? value(formula[0])
                             : result_of(value(formula[0]), formula[1], value(formula[2]));
}

// "3. Amy = Ben + 5. Next: Ben, Cal." The names in the order of the plan.
Words check_plan(Lines& lines, const QuantitiesStory& story) {
  Words plan, open = {story.asked};
  while (!open.empty()) {
    const Words words = lines.take();
    const auto next = std::find(words.begin(), words.end(), "Next");
    lines.expect(words.size() > 4 && next != words.end(), "no plan");
    lines.expect(words[0] == number(plan.size() + 1) && words[2] == "=", "no plan line");
    lines.expect(words[1] == open[0], "not the head of the list before");
    const Words& formula = story.told.at(open[0]);
    lines.expect(Words(words.begin() + 3, next) == formula, "not what the question says");
    plan.push_back(open[0]);
    Words follows;
    for (const std::string_view word : formula) {
      if (story.told.count(word) > 0) follows.push_back(word);
    }
    follows.insert(follows.end(), open.begin() + 1, open.end());
    const Words listed(next + 1, words.end());
    lines.expect(listed == (follows.empty() ? Words{"none"} : follows),
                 "not the list before with its head replaced by its operands");
    open = follows;
  }
  return plan;
}

void check_quantities(const Problem& problem, Lines& lines) {
  const QuantitiesStory story = read_quantities(problem.question);
  const std::string items(story.items), asked(story.asked);
  lines.expect_line("We need the " + items + " of " + asked + ". I plan from the end.");
  const Words plan = check_plan(lines, story);
  lines.expect_line("Now I compute from the last line back.");
  std::map<std::string_view, std::int64_t> values;  // those written so far
  for (std::size_t i = plan.size(); i-- > 0;) {
    const Words& formula = story.told.at(plan[i]);
    const std::vector<Words> parts = parts_between(lines.take(), "=");
    const std::int64_t value = worked_out(formula, values);  // throws if an operand is yet to come
    lines.expect(spelled(parts[0]) == number(i + 1) + " " + std::string(plan[i]),
                 "not the reverse of the plan");
    lines.expect(parts.size() == (formula.size() == 1 ? 2U : 4U), "a missing part");
    lines.expect(parts[1] == formula, "not the formula of the plan");
    if (formula.size() == 3) {
      lines.expect(spelled(parts[2]) == in_numbers(formula, values), "not the values before");
      lines.expect(spelled(parts[3]) == number(value), "a wrong result");
    }
    values[plan[i]] = value;
  }
  lines.expect_line("Wait, let me check.");
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const Words& formula = story.told.at(plan[i]);
    std::string line = number(i + 1) + ". " + std::string(plan[i]) + ": ";
    line += in_numbers(formula, values);
    if (formula.size() == 3) line += " = " + number(values[plan[i]]);
    lines.expect_line(line + ", yes.");
  }
  lines.expect_line("So " + asked + " has " + number(story.answer) + " " + items + ".");
}

// --- ledger ---

// "20 - 5 = 15"
std::string change(std::int64_t before, std::int64_t gain) {
  return number(before) + (gain < 0 ? " - " : " + ") + number(gain < 0 ? -gain : gain) + " = " +
         number(before + gain);
}

std::string restated(const LedgerStory& story) {
  const std::string first(story.first), second(story.second);
  switch (story.asked) {
    case LedgerStory::Asked::kBalance:
      return "We need what " + first + " has at the end.";
    case LedgerStory::Asked::kTogether:
      return "We need what " + first + " and " + second + " have together at the end.";
    case LedgerStory::Asked::kDifference:
      return "We need how far apart " + first + " and " + second + " are at the end.";
    case LedgerStory::Asked::kEarly:
      break;
  }
  return "We need " + first + " after entry " + number(story.entry) + " plus " + second +
         " at the end.";
}

std::string concluded(const LedgerStory& story) {
  const std::string first(story.first), second(story.second), answer = number(story.answer);
  const std::int64_t one = story.end.at(story.first);
  if (story.asked == LedgerStory::Asked::kBalance) {
    return "So " + first + " has " + answer + " at the end.";
  }
  const std::int64_t two = story.end.at(story.second);
  if (story.asked == LedgerStory::Asked::kEarly) {
    return "After entry " + number(story.entry) + " " + first + " has " + number(story.early) +
           ", at the end " + second + " has " + number(two) + ". " + change(story.early, two) +
           ". So it is " + answer + ".";
  }
  const std::string both =
      first + " has " + number(one) + ", " + second + " has " + number(two) + ". ";
  if (story.asked == LedgerStory::Asked::kTogether) {
    return both + number(one) + " + " + number(two) + " = " + answer + ". So together they have " +
           answer + ".";
  }
  return both + number(std::max(one, two)) + " - " + number(std::min(one, two)) + " = " + answer +
         ". So they are " + answer + " apart.";
}

void check_ledger(const Problem& problem, Lines& lines) {
  const LedgerStory story = read_ledger(problem.question);
  lines.expect_line(restated(story) + " I go through the entries.");
  std::map<std::string_view, std::int64_t> latest = story.start;
  for (std::size_t i = 0; i < story.entries.size(); ++i) {
    const LedgerStory::Entry& entry = story.entries[i];
    std::string line = number(i + 1) + ". " + spelled(entry.words);
    const char* mark = ": ";
    for (const auto& [name, gain] : entry.changes) {
      line += mark + std::string(name) + " " + change(latest[name], gain);
      latest[name] += gain;
      mark = ", ";
    }
    lines.expect_line(line + ".");
  }
  lines.expect_line("Wait, let me check the last entries.");
  for (std::size_t back = 0; back < std::min(kSteppedBack, story.entries.size()); ++back) {
    const std::size_t i = story.entries.size() - 1 - back;
    std::string line = number(i + 1) + ".";
    for (const auto& [name, gain] : story.entries[i].changes) {
      line += " " + std::string(name) + " " + change(latest[name], -gain) + ",";
      latest[name] -= gain;
    }
    lines.expect_line(line + " yes.");
  }
  lines.expect_line(concluded(story));
}

// --- passcode ---

void check_passcode(const Problem& problem, Lines& lines) {
  const PasscodeStory story = read_passcode(problem.question);
  const PasscodeStory::Code& asked = story.codes.at(story.asked);
  lines.expect_line("We need the code of the " + story.asked +
                    (story.with_counter ? " plus the counter." : "."));
  std::set<std::string> worked_out;
  while (lines.peek().substr(0, 8) == "The code") {
    const auto code = match(lines.take(), "The code of the $ $ is # + # = #");
    lines.expect(code.has_value(), "no code is worked out");
    const std::string name = std::string((*code)[0]) + " " + std::string((*code)[1]);
    const auto found = story.codes.find(name);
    lines.expect(found != story.codes.end(), "an unknown code");
    lines.expect(Words{(*code)[2], "+", (*code)[3]} == found->second.sum, "another sum");
    lines.expect((*code)[4] == number(found->second.value), "a wrong sum");
    lines.expect(worked_out.insert(name).second, "a code worked out twice");
  }
  for (const auto& [name, code] : story.codes) {
    lines.expect(worked_out.count(name) == (code.sum.empty() ? 0U : 1U), "a code left out before");
  }
  // From here to the last line the counter alone is spoken of: each line is given in full.
  lines.expect_line("The counter starts at " + number(story.start) + ".");
  std::int64_t counter = story.start;
  for (std::size_t i = 0; i < story.steps.size(); ++i) {
    const PasscodeStory::Step& step = story.steps[i];
    const std::int64_t after = result_of(counter, step.sign, step.number);
    lines.expect_line(number(i + 1) + ". " + number(counter) + " " + std::string(step.sign) + " " +
                      number(step.number) + " = " + number(after) + ".");
    counter = after;
  }
  lines.expect_line("Wait, let me check the last steps.");
  for (std::size_t back = 0; back < std::min(kSteppedBack, story.steps.size()); ++back) {
    const std::size_t i = story.steps.size() - 1 - back;
    const PasscodeStory::Step& step = story.steps[i];
    const char* sign = step.sign == "+" ? "-" : step.sign == "-" ? "+" : "/";
    const std::int64_t before = i == 0 ? story.start : story.steps[i - 1].after;
    lines.expect(result_of(step.after, sign, step.number) == before, "no way back");
    lines.expect_line(number(i + 1) + ". " + number(step.after) + " " + sign + " " +
                      number(step.number) + " = " + number(before) + ", yes.");
  }
  std::string ending = "The counter ends at " + number(counter) + ". The code of the " +
                       story.asked + " is " + number(asked.value) + ".";
  if (story.with_counter) ending += " " + change(asked.value, counter) + ".";
  lines.expect_line(ending);
}

}  // namespace

std::string equation_fault(std::string_view reasoning) {
  Lines lines(reasoning);
  try {
    while (lines.more()) {
      const Words words = lines.take();
      for (std::size_t i = 3; i + 1 < words.size(); ++i) {
        const bool binary = words[i] == "=" && is_number(words[i - 3]) && is_number(words[i - 1]) &&
                            is_number(words[i + 1]) && !is_number(words[i - 2]);
        if (!binary) continue;
        const std::int64_t result =
            result_of(number_of(words[i - 3]), words[i - 2], number_of(words[i - 1]));
        lines.expect(result == number_of(words[i + 1]), "a wrong equation");
      }
    }
  } catch (const std::runtime_error& fault) {
    return fault.what();
  }
  return "";
}

std::string reasoning_fault(const Problem& problem) {
  if (std::string fault = equation_fault(problem.reasoning); !fault.empty()) return fault;
  Lines lines(problem.reasoning);
  try {
    switch (problem.family) {
      case ProblemFamily::kQuantities:
        check_quantities(problem, lines);
        break;
      case ProblemFamily::kLedger:
        check_ledger(problem, lines);
        break;
      case ProblemFamily::kPasscode:
        check_passcode(problem, lines);
        break;
    }
    if (lines.more()) throw Fault("a line behind the end: " + std::string(lines.peek()));
  } catch (const std::runtime_error& fault) {
    return fault.what();
  }
  return "";
}

}  // namespace laconic::test
