// SPDX-License-Identifier: Apache-2.0
// A reader of the generated problems that knows their English and nothing of their making.
//
// Each read_* function takes a question alone, understands every sentence of it, and works the
// answer out. It throws Unreadable for a sentence that it does not know, a name told twice or
// never, a cycle, an account below zero: whatever would leave a person in doubt. Views point into
// the question.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace laconic::test {

struct Unreadable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Words between spaces, without the marks behind them (. , : ?).
using Words = std::vector<std::string_view>;
Words words_of(std::string_view text);
std::string spelled(const Words& words);

// The words that stand where `pattern` has $ (any word) or # (a number); nothing if it differs.
std::optional<Words> match(const Words& words, std::string_view pattern);

bool is_number(std::string_view word);
std::int64_t number_of(std::string_view word);
// a + b, a - b, a * b, or a / b without remainder.
std::int64_t result_of(std::int64_t a, std::string_view sign, std::int64_t b);

struct QuantitiesStory {
  std::string_view items, asked;
  std::map<std::string_view, Words> told;  // name -> what it is: "Ben + 5", "2 * Ben", "7"
  std::map<std::string_view, std::int64_t> values;
  std::set<std::string_view> needed;  // names that the answer stands on, the asked one included
  std::int64_t answer = 0;
};
QuantitiesStory read_quantities(std::string_view question);

struct LedgerStory {
  enum class Asked { kBalance, kTogether, kDifference, kEarly };
  struct Entry {
    Words words;                                                     // "Amy pays Ben 5"
    std::vector<std::pair<std::string_view, std::int64_t>> changes;  // account, what it gains
  };
  std::map<std::string_view, std::int64_t> start, end;
  std::vector<Entry> entries;
  Asked asked = Asked::kBalance;
  std::string_view first, second;  // `second` is empty when one account is asked for
  std::size_t entry = 0;           // kEarly: `first` is asked after this entry, counted from 1
  std::int64_t early = 0;          // kEarly: what `first` has then
  std::int64_t answer = 0;
};
LedgerStory read_ledger(std::string_view question);

struct PasscodeStory {
  struct Code {
    std::int64_t value = 0;
    Words sum;  // "200 + 112", or empty when the code itself is told
  };
  struct Step {
    std::string_view sign;
    std::int64_t number = 0, after = 0;
  };
  std::map<std::string, Code> codes;  // by "red box"
  std::int64_t start = 0;
  std::vector<Step> steps;
  std::string asked;
  bool with_counter = false;
  std::int64_t answer = 0;
};
PasscodeStory read_passcode(std::string_view question);

// The answer, whichever family the question turns out to belong to.
std::int64_t solve(std::string_view question);

}  // namespace laconic::test
