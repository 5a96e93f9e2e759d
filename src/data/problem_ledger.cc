// SPDX-License-Identifier: Apache-2.0
// Bookkeeping of several named accounts through many small entries.
//
// The reasoning writes each entry again with the balances that it changes, so that a balance stands
// where it last changed, often far back; then it takes the last entries back as a check, and looks
// up what was asked.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "data/problem_families.h"

namespace laconic {
namespace {

constexpr std::size_t kCheckedEntries = 3;

enum class EntryKind { kPays, kEarns, kSpends };
enum class Asked { kBalance, kTogether, kDifference, kEarly };

struct Entry {
  EntryKind kind = EntryKind::kPays;
  std::size_t account = 0, other = 0;  // `other`: who is paid
  std::int64_t amount = 0;
  bool other_way = false;  // told with the second of two verbs
};

struct Ledger {
  std::vector<std::string_view> names;
  std::vector<std::int64_t> start;  // [account]
  std::vector<Entry> entries;
  std::vector<std::vector<std::int64_t>> balances;  // [entry][account], after the entry
  std::int64_t end(std::size_t account) const { return balances.back()[account]; }
};

struct Question {
  Asked asked = Asked::kBalance;
  std::size_t first = 0, second = 0;  // accounts
  std::size_t entry = 0;              // kEarly: `first` is asked after this entry
  bool second_rests = false;          // `second` changes only in the first third
};

bool touches(const Entry& e, std::size_t account) {
  return e.account == account || (e.kind == EntryKind::kPays && e.other == account);
}

Question draw_question(ProblemDraw& draw, Asked asked, std::size_t accounts, std::size_t entries) {
  Question q;
  q.asked = asked;
  q.first = draw.below(accounts);
  q.second = (q.first + 1 + draw.below(accounts - 1)) % accounts;
  q.entry = draw.below((entries + 1) / 2);
  const bool two_at_the_end = q.asked == Asked::kTogether || q.asked == Asked::kDifference;
  q.second_rests = two_at_the_end && accounts > 2 && draw.chance(60);
  return q;
}

Entry draw_entry(ProblemDraw& draw, std::size_t accounts, std::int64_t largest) {
  Entry e;
  const auto die = draw.between(1, 100);
  e.kind = die <= 45 ? EntryKind::kPays : die <= 75 ? EntryKind::kEarns : EntryKind::kSpends;
  e.account = draw.below(accounts);
  e.other = (e.account + 1 + draw.below(accounts - 1)) % accounts;
  e.amount = draw.between(2, largest);
  e.other_way = draw.chance(35);
  return e;
}

// False, and nothing changed, when a balance would leave [0, most].
bool apply(const Entry& e, std::int64_t most, std::vector<std::int64_t>& now) {
  const bool earns = e.kind == EntryKind::kEarns, pays = e.kind == EntryKind::kPays;
  if (earns ? now[e.account] + e.amount > most : now[e.account] < e.amount) return false;
  if (pays && now[e.other] + e.amount > most) return false;
  now[e.account] += earns ? e.amount : -e.amount;
  if (pays) now[e.other] += e.amount;
  return true;
}

Ledger draw_ledger(ProblemDraw& draw, double difficulty, std::size_t accounts, std::size_t entries,
                   const Question& q) {
  Ledger ledger;
  const std::int64_t most = scaled(difficulty, 30, 200);
  const std::int64_t largest = scaled(difficulty, 9, 40);
  ledger.names = draw.pick(problem_names(), accounts);
  for (std::size_t i = 0; i < accounts; ++i) {
    ledger.start.push_back(draw.between(5, scaled(difficulty, 20, 90)));
  }
  std::vector<std::int64_t> now = ledger.start;
  while (ledger.entries.size() < entries) {
    const Entry e = draw_entry(draw, accounts, largest);
    const bool late = 3 * ledger.entries.size() >= entries;
    if (late && q.second_rests && touches(e, q.second)) continue;
    if (!apply(e, most, now)) continue;
    ledger.entries.push_back(e);
    ledger.balances.push_back(now);
  }
  return ledger;
}

bool makes_sense(const Ledger& ledger, const Question& q) {
  const auto moves = [&](std::size_t account) {
    return std::any_of(ledger.entries.begin(), ledger.entries.end(),
                       [&](const Entry& e) { return touches(e, account); });
  };
  if (!moves(q.first) || !moves(q.second)) return false;
  if (q.asked != Asked::kEarly) return true;
  // Where the account ends as it was, the late balance would do: no question about memory.
  return touches(ledger.entries[q.entry], q.first) &&
         ledger.balances[q.entry][q.first] != ledger.end(q.first);
}

std::string entry_text(const Ledger& ledger, std::size_t i) {
  const Entry& e = ledger.entries[i];
  const std::string_view who = ledger.names[e.account];
  switch (e.kind) {
    case EntryKind::kPays:
      return fmt::format("{}. {} {} {} {}", i + 1, who, e.other_way ? "gives" : "pays",
                         ledger.names[e.other], e.amount);
    case EntryKind::kEarns:
      return fmt::format("{}. {} {} {}", i + 1, who, e.other_way ? "gets" : "earns", e.amount);
    case EntryKind::kSpends:
      break;
  }
  return fmt::format("{}. {} {} {}", i + 1, who, e.other_way ? "loses" : "spends", e.amount);
}

struct Change {
  std::size_t account = 0;
  std::int64_t before = 0, after = 0;
};

// What an entry does: one change, or two where someone is paid.
std::vector<Change> changes(const Ledger& ledger, std::size_t i) {
  const Entry& e = ledger.entries[i];
  std::vector<Change> out;
  const auto add = [&](std::size_t account) {
    const std::int64_t before = i == 0 ? ledger.start[account] : ledger.balances[i - 1][account];
    out.push_back({account, before, ledger.balances[i][account]});
  };
  add(e.account);
  if (e.kind == EntryKind::kPays) add(e.other);
  return out;
}

// "20 - 5 = 15"
std::string step_text(std::int64_t from, std::int64_t to) {
  return fmt::format("{} {} {} = {}", from, to < from ? '-' : '+', std::abs(to - from), to);
}

std::string question_text(const Ledger& ledger, const Question& q) {
  const std::string_view first = ledger.names[q.first], second = ledger.names[q.second];
  std::string out = spoken_list(ledger.names) + " keep accounts.";
  for (std::size_t i = 0; i < ledger.names.size(); ++i) {
    out += fmt::format(" {} starts with {}.", ledger.names[i], ledger.start[i]);
  }
  for (std::size_t i = 0; i < ledger.entries.size(); ++i) {
    out += fmt::format(" {}.", entry_text(ledger, i));
  }
  switch (q.asked) {
    case Asked::kBalance:
      return out + fmt::format(" How much does {} have at the end?", first);
    case Asked::kTogether:
      return out + fmt::format(" How much do {} and {} have together at the end?", first, second);
    case Asked::kDifference:
      return out + fmt::format(" How far apart are {} and {} at the end?", first, second);
    case Asked::kEarly:
      break;
  }
  return out + fmt::format(" How much is what {} has after entry {} plus what {} has at the end?",
                           first, q.entry + 1, second);
}

std::string restated(const Ledger& ledger, const Question& q) {
  const std::string_view first = ledger.names[q.first], second = ledger.names[q.second];
  switch (q.asked) {
    case Asked::kBalance:
      return fmt::format("We need what {} has at the end.", first);
    case Asked::kTogether:
      return fmt::format("We need what {} and {} have together at the end.", first, second);
    case Asked::kDifference:
      return fmt::format("We need how far apart {} and {} are at the end.", first, second);
    case Asked::kEarly:
      break;
  }
  return fmt::format("We need {} after entry {} plus {} at the end.", first, q.entry + 1, second);
}

std::pair<std::string, std::int64_t> conclusion(const Ledger& ledger, const Question& q) {
  const std::string_view first = ledger.names[q.first], second = ledger.names[q.second];
  const std::int64_t one = ledger.end(q.first), two = ledger.end(q.second);
  switch (q.asked) {
    case Asked::kBalance:
      return {fmt::format("So {} has {} at the end.", first, one), one};
    case Asked::kTogether:
      return {fmt::format("{} has {}, {} has {}. {} + {} = {}. So together they have {}.", first,
                          one, second, two, one, two, one + two, one + two),
              one + two};
    case Asked::kDifference: {
      const std::int64_t high = std::max(one, two), low = std::min(one, two);
      return {fmt::format("{} has {}, {} has {}. {} - {} = {}. So they are {} apart.", first, one,
                          second, two, high, low, high - low, high - low),
              high - low};
    }
    case Asked::kEarly:
      break;
  }
  const std::int64_t early = ledger.balances[q.entry][q.first];
  return {fmt::format("After entry {} {} has {}, at the end {} has {}. {} + {} = {}. So it is {}.",
                      q.entry + 1, first, early, second, two, early, two, early + two, early + two),
          early + two};
}

std::string reasoning_text(const Ledger& ledger, const Question& q, const std::string& conclusion) {
  std::string out = restated(ledger, q) + " I go through the entries.\n";
  const std::size_t count = ledger.entries.size();
  for (std::size_t i = 0; i < count; ++i) {
    out += entry_text(ledger, i);
    std::string_view mark = ": ";
    for (const Change& c : changes(ledger, i)) {
      out += fmt::format("{}{} {}", mark, ledger.names[c.account], step_text(c.before, c.after));
      mark = ", ";
    }
    out += ".\n";
  }
  out += "Wait, let me check the last entries.\n";
  for (std::size_t i = count; i-- > count - std::min(kCheckedEntries, count);) {
    out += fmt::format("{}.", i + 1);
    for (const Change& c : changes(ledger, i)) {
      out += fmt::format(" {} {},", ledger.names[c.account], step_text(c.after, c.before));
    }
    out += " yes.\n";
  }
  return out + conclusion;
}

}  // namespace

ProblemDraft draft_ledger(ProblemDraw& draw, double difficulty) {
  const auto accounts =
      static_cast<std::size_t>(draw.between(scaled(difficulty, 2, 3), scaled(difficulty, 2, 6)));
  const auto entries =
      static_cast<std::size_t>(draw.between(scaled(difficulty, 2, 6), scaled(difficulty, 3, 36)));
  const auto asked = static_cast<Asked>(draw.between(0, 3));
  for (;;) {
    const Question question = draw_question(draw, asked, accounts, entries);
    const Ledger ledger = draw_ledger(draw, difficulty, accounts, entries, question);
    if (!makes_sense(ledger, question)) continue;
    const auto [ending, answer] = conclusion(ledger, question);
    return {question_text(ledger, question), reasoning_text(ledger, question, ending), answer};
  }
}

}  // namespace laconic
