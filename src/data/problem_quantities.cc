// SPDX-License-Identifier: Apache-2.0
// Arithmetic over a hidden dependency graph, told in shuffled order with distractors.
//
// The reasoning plans in pre-order with an explicit list of what is still open (so that the next
// line always stands in the line before), repeats a quantity that is needed twice, computes in the
// reverse of the plan, and checks in the order of the plan.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <optional>

#include "data/problem_families.h"

namespace laconic {
namespace {

enum class Relation { kGiven, kMore, kFewer, kTimes, kTogether };

struct Quantity {
  std::string_view name;
  Relation relation = Relation::kGiven;
  std::int64_t number = 0;            // the given value, what is added or taken, or the factor
  std::vector<std::size_t> operands;  // none, one, or two quantities
  std::int64_t value = 0;
};

struct Scale {
  std::size_t quantities, distractors;
  std::int64_t given, step, factor, timed, most;  // largest numbers of each kind
};

constexpr std::size_t kLongestPlan = 18;

std::string expression(const std::vector<Quantity>& all, const Quantity& q, bool values) {
  const auto operand = [&](std::size_t i) {
    const Quantity& o = all[q.operands[i]];
    return values ? std::to_string(o.value) : std::string(o.name);
  };
  switch (q.relation) {
    case Relation::kMore:
      return fmt::format("{} + {}", operand(0), q.number);
    case Relation::kFewer:
      return fmt::format("{} - {}", operand(0), q.number);
    case Relation::kTimes:
      return fmt::format("{} * {}", q.number, operand(0));
    case Relation::kTogether:
      return fmt::format("{} + {}", operand(0), operand(1));
    case Relation::kGiven:
      break;
  }
  return std::to_string(q.number);
}

// Each relation can be told in two ways.
std::string statement(const std::vector<Quantity>& all, const Quantity& q, std::string_view items,
                      bool other_way) {
  const auto name = [&](std::size_t i) { return all[q.operands[i]].name; };
  constexpr std::array<std::string_view, 5> kFactors = {"", "", "twice", "three times",
                                                        "four times"};
  switch (q.relation) {
    case Relation::kMore:
      return other_way
                 ? fmt::format("{} has {} {} more than {}.", q.name, q.number, items, name(0))
                 : fmt::format("{} has {} more {} than {}.", q.name, q.number, items, name(0));
    case Relation::kFewer:
      return other_way
                 ? fmt::format("{} is {} {} short of {}.", q.name, q.number, items, name(0))
                 : fmt::format("{} has {} fewer {} than {}.", q.name, q.number, items, name(0));
    case Relation::kTimes: {
      const std::string_view times = kFactors[static_cast<std::size_t>(q.number)];
      return other_way ? fmt::format("{} has {} the {} of {}.", q.name, times, items, name(0))
                       : fmt::format("{} has {} as many {} as {}.", q.name, times, items, name(0));
    }
    case Relation::kTogether:
      return other_way ? fmt::format("{} has the {} of {} and {} combined.", q.name, items, name(0),
                                     name(1))
                       : fmt::format("{} has as many {} as {} and {} together.", q.name, items,
                                     name(0), name(1));
    case Relation::kGiven:
      break;
  }
  return other_way ? fmt::format("{} owns {} {}.", q.name, q.number, items)
                   : fmt::format("{} has {} {}.", q.name, q.number, items);
}

void choose_relation(ProblemDraw& draw, const Scale& scale, Quantity& q, bool two_allowed) {
  const auto die = draw.between(1, 100);
  if (two_allowed && die <= 35) {
    q.relation = Relation::kTogether;
  } else if (die <= 60) {
    q.relation = Relation::kMore;
    q.number = draw.between(2, scale.step);
  } else if (die <= 82) {
    q.relation = Relation::kFewer;
    q.number = draw.between(2, scale.step);
  } else {
    q.relation = Relation::kTimes;
    q.number = draw.between(2, scale.factor);
  }
}

// Grows the graph from what is asked (quantity 0) downwards: operands have higher indices.
std::vector<Quantity> draw_graph(ProblemDraw& draw, const Scale& scale) {
  std::vector<Quantity> all(1);
  std::deque<std::size_t> open = {0};
  while (!open.empty()) {
    const std::size_t current = open.front();
    open.pop_front();
    const std::size_t room = scale.quantities - all.size();
    if (room == 0 || (!open.empty() && draw.chance(20))) {
      all[current].number = draw.between(2, scale.given);
      continue;
    }
    choose_relation(draw, scale, all[current], room >= 2 || !open.empty());
    const std::size_t operands = all[current].relation == Relation::kTogether ? 2 : 1;
    for (std::size_t i = 0; i < operands; ++i) {
      std::size_t operand = all.size();
      const bool share = !open.empty() && draw.chance(15);
      if (share || all.size() == scale.quantities) {
        if (open.empty()) return {};
        operand = open[draw.below(open.size())];
      } else {
        all.emplace_back();
        open.push_back(operand);
      }
      if (i == 1 && operand == all[current].operands[0]) return {};
      all[current].operands.push_back(operand);
    }
  }
  if (all.size() != scale.quantities) return {};
  return all;
}

// False when a value leaves its range. Operands of [first, last) lie behind their users.
bool evaluate(std::vector<Quantity>& all, const Scale& scale, std::size_t first, std::size_t last) {
  for (std::size_t i = last; i-- > first;) {
    Quantity& q = all[i];
    const auto value = [&](std::size_t k) { return all[q.operands[k]].value; };
    switch (q.relation) {
      case Relation::kGiven:
        q.value = q.number;
        break;
      case Relation::kMore:
        q.value = value(0) + q.number;
        break;
      case Relation::kFewer:
        q.value = value(0) - q.number;
        break;
      case Relation::kTimes:
        if (value(0) > scale.timed) return false;
        q.value = value(0) * q.number;
        break;
      case Relation::kTogether:
        q.value = value(0) + value(1);
        break;
    }
    if (q.value < 2 || q.value > scale.most) return false;
  }
  return true;
}

// Pre-order with repetition; empty when it would be too long.
std::vector<std::size_t> plan_order(const std::vector<Quantity>& all) {
  std::vector<std::size_t> plan, stack = {0};
  while (!stack.empty()) {
    const std::size_t current = stack.back();
    stack.pop_back();
    plan.push_back(current);
    if (plan.size() > kLongestPlan) return {};
    const auto& operands = all[current].operands;
    stack.insert(stack.end(), operands.rbegin(), operands.rend());
  }
  return plan;
}

std::string reasoning_text(const std::vector<Quantity>& all, const std::vector<std::size_t>& plan,
                           std::string_view items) {
  const Quantity& asked = all[0];
  std::string out = fmt::format("We need the {} of {}. I plan from the end.\n", items, asked.name);
  std::vector<std::size_t> open = {0};
  for (std::size_t line = 0; line < plan.size(); ++line) {
    const Quantity& q = all[plan[line]];
    open.erase(open.begin());
    open.insert(open.begin(), q.operands.begin(), q.operands.end());
    out += fmt::format("{}. {} = {}. Next: ", line + 1, q.name, expression(all, q, false));
    for (std::size_t i = 0; i < open.size(); ++i) {
      out += fmt::format("{}{}", i > 0 ? ", " : "", all[open[i]].name);
    }
    out += open.empty() ? "none.\n" : ".\n";
  }
  out += "Now I compute from the last line back.\n";
  for (std::size_t line = plan.size(); line-- > 0;) {
    const Quantity& q = all[plan[line]];
    out += fmt::format("{}. {} = {}", line + 1, q.name, expression(all, q, false));
    if (!q.operands.empty()) out += fmt::format(" = {} = {}", expression(all, q, true), q.value);
    out += ".\n";
  }
  out += "Wait, let me check.\n";
  for (std::size_t line = 0; line < plan.size(); ++line) {
    const Quantity& q = all[plan[line]];
    out += fmt::format("{}. {}: {}", line + 1, q.name, expression(all, q, true));
    if (!q.operands.empty()) out += fmt::format(" = {}", q.value);
    out += ", yes.\n";
  }
  return out + fmt::format("So {} has {} {}.", asked.name, asked.value, items);
}

// Quantities that nobody asks for; they may speak of those that matter.
bool add_distractors(ProblemDraw& draw, const Scale& scale, std::vector<Quantity>& all) {
  const std::size_t needed = all.size();
  for (std::size_t i = 0; i < scale.distractors; ++i) {
    Quantity q;
    if (draw.chance(30)) {
      q.number = draw.between(2, scale.given);
    } else {
      choose_relation(draw, scale, q, true);
      q.operands.push_back(draw.below(needed));
      if (q.relation == Relation::kTogether) {
        q.operands.push_back(draw.below(needed));
        if (q.operands[0] == q.operands[1]) return false;
      }
    }
    all.push_back(q);
  }
  return evaluate(all, scale, needed, all.size());
}

std::optional<ProblemDraft> try_draft(ProblemDraw& draw, const Scale& scale) {
  std::vector<Quantity> all = draw_graph(draw, scale);
  if (all.empty() || !evaluate(all, scale, 0, all.size())) return std::nullopt;
  const std::vector<std::size_t> plan = plan_order(all);
  if (plan.empty() || !add_distractors(draw, scale, all)) return std::nullopt;

  const auto names = draw.pick(problem_names(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i].name = names[i];
  const std::string_view items = problem_items()[draw.below(problem_items().size())];
  std::vector<std::size_t> order(all.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  draw.shuffle(order);

  ProblemDraft draft;
  for (const std::size_t i : order)
    draft.question += statement(all, all[i], items, draw.chance(35)) + " ";
  draft.question += fmt::format("How many {} does {} have?", items, all[0].name);
  draft.reasoning = reasoning_text(all, plan, items);
  draft.answer = all[0].value;
  return draft;
}

}  // namespace

ProblemDraft draft_quantities(ProblemDraw& draw, double difficulty) {
  Scale scale{};
  scale.quantities =
      static_cast<std::size_t>(draw.between(scaled(difficulty, 2, 4), scaled(difficulty, 3, 12)));
  scale.distractors = static_cast<std::size_t>(draw.between(0, scaled(difficulty, 1, 4)));
  scale.given = scaled(difficulty, 9, 60);
  scale.step = scaled(difficulty, 9, 40);
  scale.factor = scaled(difficulty, 2, 4);
  scale.timed = scaled(difficulty, 9, 60);
  scale.most = scaled(difficulty, 30, 400);
  for (;;) {
    if (auto draft = try_draft(draw, scale)) return *std::move(draft);
  }
}

}  // namespace laconic
