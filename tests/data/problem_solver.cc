// SPDX-License-Identifier: Apache-2.0
#include "data/problem_solver.h"

#include <algorithm>

namespace laconic::test {
namespace {

constexpr std::string_view kDigits = "0123456789";

[[noreturn]] void refuse(const std::string& why, const Words& sentence) {
  throw Unreadable(why + ": '" + spelled(sentence) + "'");
}

// A number that opens a sentence is its label, not its end.
std::vector<Words> sentences_of(std::string_view text) {
  std::vector<Words> sentences(1);
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view raw = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    const Words word = words_of(raw);
    if (word.size() != 1) throw Unreadable("two spaces or a bare mark in the question");
    sentences.back().push_back(word[0]);
    const bool label = sentences.back().size() == 1 && is_number(word[0]);
    if (!label && (raw.back() == '.' || raw.back() == '?')) sentences.emplace_back();
  }
  if (!sentences.back().empty()) refuse("a sentence without an end", sentences.back());
  sentences.pop_back();
  if (sentences.empty()) throw Unreadable("an empty question");
  return sentences;
}

template <typename Map>
auto& known(Map& map, std::string_view name) {
  const auto found = map.find(typename Map::key_type(name));
  if (found == map.end()) throw Unreadable("nothing was told of " + std::string(name));
  return found->second;
}

template <typename Map, typename Value>
void tell(Map& map, std::string_view name, Value value) {
  if (!map.emplace(name, std::move(value)).second) {
    throw Unreadable("told twice of " + std::string(name));
  }
}

// --- quantities ---

// What a statement says: the name, the items, and what it is.
struct Statement {
  std::string_view name, items;
  Words formula;
};

// One way of telling: the first word found is the name, another the items, and what the name has is
// an operand or two with a sign between. "@1" is the second word found.
struct Telling {
  const char* pattern;
  std::size_t items;
  const char* sign;
  std::string_view left, right;
};

constexpr Telling kTellings[] = {{"$ has # $", 2, "", "@1", ""},
                                 {"$ owns # $", 2, "", "@1", ""},
                                 {"$ has # more $ than $", 2, "+", "@3", "@1"},
                                 {"$ has # $ more than $", 2, "+", "@3", "@1"},
                                 {"$ has # fewer $ than $", 2, "-", "@3", "@1"},
                                 {"$ is # $ short of $", 2, "-", "@3", "@1"},
                                 {"$ has twice as many $ as $", 1, "*", "2", "@2"},
                                 {"$ has three times as many $ as $", 1, "*", "3", "@2"},
                                 {"$ has four times as many $ as $", 1, "*", "4", "@2"},
                                 {"$ has twice the $ of $", 1, "*", "2", "@2"},
                                 {"$ has three times the $ of $", 1, "*", "3", "@2"},
                                 {"$ has four times the $ of $", 1, "*", "4", "@2"},
                                 {"$ has as many $ as $ and $ together", 1, "+", "@2", "@3"},
                                 {"$ has the $ of $ and $ combined", 1, "+", "@2", "@3"}};

std::optional<Statement> statement(const Words& s) {
  for (const Telling& way : kTellings) {
    const auto found = match(s, way.pattern);
    if (!found) continue;
    const auto operand = [&](std::string_view text) {
      return text[0] == '@' ? (*found)[static_cast<std::size_t>(text[1] - '0')] : text;
    };
    Statement said{(*found)[0], (*found)[way.items], {operand(way.left)}};
    if (!way.right.empty()) {
      said.formula.emplace_back(way.sign);
      said.formula.push_back(operand(way.right));
    }
    return said;
  }
  return std::nullopt;
}

// Follows what was told; `used` gathers every name on the way, `path` those not finished.
std::int64_t value_of(QuantitiesStory& story, std::string_view word,
                      std::set<std::string_view>& used, std::set<std::string_view>& path) {
  if (is_number(word)) return number_of(word);
  const Words& formula = known(story.told, word);
  if (!path.insert(word).second) throw Unreadable("told in a circle: " + std::string(word));
  used.insert(word);
  std::int64_t value = value_of(story, formula[0], used, path);
  if (formula.size() == 3) {
    value = result_of(value, formula[1], value_of(story, formula[2], used, path));
  }
  if (value < 1) throw Unreadable("less than one thing for " + std::string(word));
  path.erase(word);
  return story.values[word] = value;
}

// --- ledger ---

std::optional<LedgerStory::Entry> ledger_entry(const Words& s) {
  LedgerStory::Entry entry;
  for (const char* pattern : {"# $ pays $ #", "# $ gives $ #"}) {
    if (const auto m = match(s, pattern)) {
      const std::int64_t amount = number_of((*m)[3]);
      if ((*m)[1] == (*m)[2]) refuse("one account pays itself", s);
      entry.changes = {{(*m)[1], -amount}, {(*m)[2], amount}};
    }
  }
  for (const char* pattern : {"# $ earns #", "# $ gets #"}) {
    if (const auto m = match(s, pattern)) entry.changes = {{(*m)[1], number_of((*m)[2])}};
  }
  for (const char* pattern : {"# $ spends #", "# $ loses #"}) {
    if (const auto m = match(s, pattern)) entry.changes = {{(*m)[1], -number_of((*m)[2])}};
  }
  if (entry.changes.empty()) return std::nullopt;
  entry.words.assign(s.begin() + 1, s.end());
  return entry;
}

void read_ledger_question(const Words& s, LedgerStory& story) {
  using Asked = LedgerStory::Asked;
  if (const auto m = match(s, "How much does $ have at the end")) {
    story.asked = Asked::kBalance;
    story.first = (*m)[0];
  } else if (const auto t = match(s, "How much do $ and $ have together at the end")) {
    story.asked = Asked::kTogether;
    story.first = (*t)[0], story.second = (*t)[1];
  } else if (const auto d = match(s, "How far apart are $ and $ at the end")) {
    story.asked = Asked::kDifference;
    story.first = (*d)[0], story.second = (*d)[1];
  } else if (const auto e =
                 match(s, "How much is what $ has after entry # plus what $ has at the end")) {
    story.asked = Asked::kEarly;
    story.first = (*e)[0], story.second = (*e)[2];
    story.entry = static_cast<std::size_t>(number_of((*e)[1]));
  } else {
    refuse("a question of no known kind", s);
  }
  if (story.first == story.second) refuse("one account asked for twice", s);
}

// --- passcode ---

std::string joined(std::string_view a, std::string_view b) {
  return std::string(a) + " " + std::string(b);
}

bool read_code(const Words& s, PasscodeStory& story) {
  if (const auto m = match(s, "The code of the $ $ is #")) {
    tell(story.codes, joined((*m)[0], (*m)[1]), PasscodeStory::Code{number_of((*m)[2]), {}});
    return true;
  }
  if (const auto m = match(s, "The code of the $ $ is the sum of # and #")) {
    const auto sum = number_of((*m)[2]) + number_of((*m)[3]);
    tell(story.codes, joined((*m)[0], (*m)[1]), PasscodeStory::Code{sum, {(*m)[2], "+", (*m)[3]}});
    return true;
  }
  return false;
}

std::optional<PasscodeStory::Step> counter_step(const Words& s) {
  if (match(s, "# Double it")) return PasscodeStory::Step{"*", 2, 0};
  if (const auto m = match(s, "# Add #")) return PasscodeStory::Step{"+", number_of((*m)[1]), 0};
  if (const auto m = match(s, "# Take away #"))
    return PasscodeStory::Step{"-", number_of((*m)[1]), 0};
  return std::nullopt;
}

}  // namespace

Words words_of(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    while (!word.empty() && std::string_view(".,:?").find(word.back()) != std::string_view::npos) {
      word.remove_suffix(1);
    }
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

std::string spelled(const Words& words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

std::optional<Words> match(const Words& words, std::string_view pattern) {
  Words found;
  for (const std::string_view word : words) {
    if (pattern.empty()) return std::nullopt;
    const std::size_t space = std::min(pattern.find(' '), pattern.size());
    const std::string_view wanted = pattern.substr(0, space);
    pattern.remove_prefix(std::min(space + 1, pattern.size()));
    if (wanted == "$" ? is_number(word) : wanted == "#" ? !is_number(word) : word != wanted) {
      return std::nullopt;
    }
    if (wanted == "$" || wanted == "#") found.push_back(word);
  }
  if (!pattern.empty()) return std::nullopt;
  return found;
}

bool is_number(std::string_view word) {
  return !word.empty() && word.find_first_not_of(kDigits) == std::string_view::npos &&
         (word.size() == 1 || word[0] != '0');
}

std::int64_t number_of(std::string_view word) {
  if (!is_number(word)) throw Unreadable("not a number: " + std::string(word));
  return std::stoll(std::string(word));
}

std::int64_t result_of(std::int64_t a, std::string_view sign, std::int64_t b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "/" && b != 0 && a % b == 0) return a / b;
  throw Unreadable("cannot work out " + std::to_string(a) + " " + std::string(sign) + " " +
                   std::to_string(b));
}

QuantitiesStory read_quantities(std::string_view question) {
  QuantitiesStory story;
  const std::vector<Words> sentences = sentences_of(question);
  const auto last = match(sentences.back(), "How many $ does $ have");
  if (!last) refuse("a question of no known kind", sentences.back());
  story.items = (*last)[0], story.asked = (*last)[1];
  for (std::size_t i = 0; i + 1 < sentences.size(); ++i) {
    const auto said = statement(sentences[i]);
    if (!said) refuse("a sentence of no known kind", sentences[i]);
    if (said->items != story.items) refuse("other things are counted", sentences[i]);
    if (said->formula == Words{"1"}) refuse("one thing in the plural", sentences[i]);
    tell(story.told, said->name, said->formula);
  }
  std::set<std::string_view> path, all;
  story.answer = value_of(story, story.asked, story.needed, path);
  for (const auto& [name, formula] : story.told) value_of(story, name, all, path);
  return story;
}

LedgerStory read_ledger(std::string_view question) {
  LedgerStory story;
  const std::vector<Words> sentences = sentences_of(question);
  read_ledger_question(sentences.back(), story);
  std::set<std::string_view> named(sentences[0].begin(), sentences[0].end());
  for (const char* word : {"and", "keep", "accounts"}) {
    if (named.erase(word) != 1) refuse("not a list of accounts", sentences[0]);
  }
  for (std::size_t i = 1; i + 1 < sentences.size(); ++i) {
    if (const auto m = match(sentences[i], "$ starts with #")) {
      if (!story.entries.empty()) refuse("a start behind the first entry", sentences[i]);
      if (named.count((*m)[0]) == 0) refuse("an account that was not listed", sentences[i]);
      tell(story.start, (*m)[0], number_of((*m)[1]));
      story.end = story.start;
      continue;
    }
    const auto entry = ledger_entry(sentences[i]);
    if (!entry) refuse("a sentence of no known kind", sentences[i]);
    story.entries.push_back(*entry);
    if (number_of(sentences[i][0]) != static_cast<std::int64_t>(story.entries.size())) {
      refuse("an entry out of order", sentences[i]);
    }
    for (const auto& [name, gain] : entry->changes) {
      if ((known(story.end, name) += gain) < 0) refuse("an account below zero", sentences[i]);
    }
    if (story.entries.size() == story.entry) story.early = known(story.end, story.first);
  }
  if (story.start.size() != named.size()) refuse("an account without a start", sentences[0]);
  if (story.entry > story.entries.size() ||
      (story.asked == LedgerStory::Asked::kEarly && story.entry == 0)) {
    refuse("an entry that there is not", sentences.back());
  }
  const std::int64_t one = known(story.end, story.first);
  const std::int64_t two = story.second.empty() ? 0 : known(story.end, story.second);
  switch (story.asked) {
    case LedgerStory::Asked::kBalance:
      story.answer = one;
      break;
    case LedgerStory::Asked::kTogether:
      story.answer = one + two;
      break;
    case LedgerStory::Asked::kDifference:
      story.answer = one < two ? two - one : one - two;
      break;
    case LedgerStory::Asked::kEarly:
      story.answer = story.early + two;
      break;
  }
  return story;
}

PasscodeStory read_passcode(std::string_view question) {
  PasscodeStory story;
  const std::vector<Words> sentences = sentences_of(question);
  std::size_t i = 0;
  while (read_code(sentences.at(i), story)) ++i;
  const auto start = match(sentences.at(i), "A counter starts at #");
  if (!start) refuse("no counter starts here", sentences[i]);
  std::int64_t now = story.start = number_of((*start)[0]);
  for (++i; auto step = counter_step(sentences.at(i)); ++i) {
    step->after = now = result_of(now, step->sign, step->number);
    if (now < 0) refuse("a counter below zero", sentences[i]);
    story.steps.push_back(*step);
    if (number_of(sentences[i][0]) != static_cast<std::int64_t>(story.steps.size())) {
      refuse("a step out of order", sentences[i]);
    }
  }
  if (!match(sentences[i], "Follow the counter") || i + 2 != sentences.size()) {
    refuse("the question does not follow the counter", sentences[i]);
  }
  const Words& last = sentences.back();
  auto asked = match(last, "Then say what is the code of the $ $");
  if (!asked) {
    asked = match(last, "What is the code of the $ $ plus the counter");
    story.with_counter = true;
  }
  if (!asked) refuse("a question of no known kind", last);
  story.asked = joined((*asked)[0], (*asked)[1]);
  story.answer = known(story.codes, story.asked).value + (story.with_counter ? now : 0);
  return story;
}

std::int64_t solve(std::string_view question) {
  const auto says = [&](std::string_view words) {
    return question.find(words) != std::string_view::npos;
  };
  if (says("keep accounts")) return read_ledger(question).answer;
  if (says("A counter starts")) return read_passcode(question).answer;
  return read_quantities(question).answer;
}

}  // namespace laconic::test
