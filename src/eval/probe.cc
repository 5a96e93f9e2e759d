// SPDX-License-Identifier: Apache-2.0
#include "eval/probe.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"
#include "data/problem.h"
#include "engine/model_impl.h"
#include "kv/schedule.h"

namespace laconic {
namespace {

constexpr std::string_view kBox = "\\boxed{";

// A text in pieces, and which piece a byte belongs to.
class PiecedText {
 public:
  explicit PiecedText(std::span<const std::string_view> pieces) {
    for (const std::string_view piece : pieces) {
      text_ += piece;
      ends_.push_back(text_.size());
    }
  }
  const std::string& text() const { return text_; }
  // Nothing behind the end.
  std::optional<std::size_t> piece_at(std::size_t offset) const {
    if (offset >= text_.size()) return std::nullopt;
    const auto found = std::upper_bound(ends_.begin(), ends_.end(), offset);
    return static_cast<std::size_t>(found - ends_.begin());
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;  // [piece]
};

std::vector<std::string_view> pieces_of(const Model& model, std::span<const std::int32_t> ids) {
  const Tokenizer* tokenizer = model.impl().tokenizer_or_null();
  if (tokenizer == nullptr)
    throw_input("{} has no tokenizer: text cannot be made", model.info().name);
  std::vector<std::string_view> out;
  for (const std::int32_t id : ids) {
    // Embeddings are often padded beyond the vocabulary: such ids have no text.
    const bool known = id >= 0 && static_cast<std::size_t>(id) < tokenizer->vocab_size();
    out.push_back(known ? tokenizer->piece(id) : std::string_view());
  }
  return out;
}

const KvOptions* first_schedule(std::span<const ArmOptions> arms) {
  for (const ArmOptions& arm : arms) {
    if (compresses_again(arm.session.kv)) return &arm.session.kv;
  }
  return nullptr;
}

// The problems of one origin.
class Planner {
 public:
  Planner(const Model& model, const ArmOptions& arm, const KvOptions& schedule,
          const ProbeOptions& options, CodeOrigin origin)
      : model_(model), arm_(arm), schedule_(schedule), options_(options), origin_(origin) {
    longest_ = longest();
  }
  bool any() const { return longest_ > 0; }
  void add(std::size_t count, ProbePlan& plan);

 private:
  struct Draft {
    TaskItem task;
    ProbeItem item;
    bool fits = false;
  };
  Draft draft(std::size_t steps, std::uint64_t index) const;
  std::size_t longest() const;
  std::size_t count_of(std::size_t steps);
  std::size_t first_with(std::size_t count);

  const Model& model_;
  const ArmOptions& arm_;
  const KvOptions& schedule_;
  const ProbeOptions& options_;
  CodeOrigin origin_;
  std::size_t longest_ = 0;                    // steps that fit the context; 0: not even one
  std::map<std::size_t, std::size_t> counts_;  // by steps, of the first draft
};

Planner::Draft Planner::draft(std::size_t steps, std::uint64_t index) const {
  const PasscodeProblem made = make_passcode(
      {options_.seed, ProblemSplit::kTest, steps, origin_ == CodeOrigin::kWorkedOut}, index);
  Draft out;
  out.task = {made.problem.id, std::string(problem_family_name(made.problem.family)),
              made.problem.question, std::to_string(made.problem.answer)};
  const auto solution = model_.tokenize(solution_text(made.problem), /*add_special=*/false);
  out.item.origin = origin_;
  out.item.code = made.code;
  out.item.prompt = arm_prompt(model_, out.task, arm_).ids.size();
  out.item.planned = find_code(model_, solution, origin_, made.code).value_or(CodeSpan{});
  out.item.count = compressions_between(schedule_, out.item.prompt, out.item.planned);
  const std::size_t own = arm_.session.context;
  const std::size_t context = own == 0 ? model_.info().context : own;
  const std::int64_t limit = arm_.generate.max_tokens;
  const std::size_t answer = solution.size() + 1;  // and the token that ends it
  out.fits = out.item.prompt + answer <= context &&
             (limit < 0 || answer <= static_cast<std::size_t>(limit));
  return out;
}

std::size_t Planner::longest() const {
  const std::size_t most = options_.most_steps == 0
                               ? kMostPasscodeSteps
                               : std::min(options_.most_steps, kMostPasscodeSteps);
  const auto fits = [this](std::size_t steps) { return draft(steps, 0).fits; };
  std::size_t low = 0, high = 1;  // low fits
  while (high <= most && fits(high)) {
    low = high;
    high *= 2;
  }
  high = std::min(high, most + 1);  // does not fit, or is not wanted
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

std::size_t Planner::count_of(std::size_t steps) {
  const auto [found, is_new] = counts_.emplace(steps, 0);
  if (is_new) found->second = draft(steps, 0).item.count;
  return found->second;
}

// The least number of steps that come to `count` compressions; one more than fit when none do.
std::size_t Planner::first_with(std::size_t count) {
  std::size_t low = 1, high = longest_ + 1;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (count_of(middle) >= count) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void Planner::add(std::size_t count, ProbePlan& plan) {
  const std::size_t low = first_with(count), high = first_with(count + 1);
  ProbeGap gap{origin_, count, 0, ProbeGap::Reason::kBetween};
  if (low > longest_) {
    gap.reason = ProbeGap::Reason::kTooLong;
  } else if (count_of(1) > count) {
    gap.reason = ProbeGap::Reason::kTooShort;
  } else {
    // From the middle of the lengths that the first drafts say; drafts of equal length differ by a
    // few tokens.
    const std::size_t tries = 8 * options_.problems + 32;
    std::size_t steps = std::min((low + std::max(high, low + 1) - 1) / 2, longest_);
    for (std::uint64_t index = 0; gap.drawn < options_.problems && index < tries; ++index) {
      Draft made = draft(steps, index);
      if (made.fits && made.item.count == count) {
        plan.task.push_back(std::move(made.task));
        plan.items.push_back(std::move(made.item));
        ++gap.drawn;
      } else if (made.fits && made.item.count < count) {
        steps = std::min(steps + 1, longest_);
      } else {
        if (!made.fits) gap.reason = ProbeGap::Reason::kTooLong;
        steps = std::max<std::size_t>(steps - 1, 1);
      }
    }
  }
  if (gap.drawn < options_.problems) plan.gaps.push_back(gap);
}

}  // namespace

std::string_view code_origin_name(CodeOrigin origin) {
  return origin == CodeOrigin::kStated ? "stated" : "worked out";
}

bool compresses_again(const KvOptions& options) {
  return options.evicts() && options.phase != KvPhase::kPrompt;
}

const KvOptions* probe_schedule(std::span<const ArmOptions> arms, std::size_t arm) {
  const KvOptions& own = arms[arm].session.kv;
  return own.evicts() ? &own : first_schedule(arms);
}

ProbePlan plan_probe(const Model& model, std::span<const ArmOptions> arms,
                     const ProbeOptions& options) {
  const KvOptions* schedule = first_schedule(arms);
  if (schedule == nullptr) {
    throw_usage(
        "--probe counts compressions: at least one arm of --compare has to evict while "
        "decoding");
  }
  ProbePlan plan;
  for (const CodeOrigin origin : kCodeOrigins) {
    Planner planner(model, arms.front(), *schedule, options, origin);
    if (!planner.any()) {
      throw_usage("--probe: not even the shortest passcode problem fits the context and -n");
    }
    for (std::size_t count = 1; count <= options.counts; ++count) planner.add(count, plan);
  }
  if (plan.items.empty()) {
    throw_usage(
        "--probe: no problem has 1 to {} compressions between its code and its question; another "
        "interval has",
        options.counts);
  }
  return plan;
}

std::size_t compressions_between(const KvOptions& options, std::size_t prompt,
                                 const CodeSpan& span) {
  if (span.asked == 0) return 0;
  Schedule schedule(options);
  std::size_t held = prompt, count = 0;
  const auto note = [&](std::size_t generated, const std::optional<std::size_t>& stay) {
    if (!stay) return;
    held = *stay;
    schedule.compressed();
    if (generated >= span.known) ++count;
  };
  note(0, schedule.begin(prompt));
  // The step that brings the code attends to the rows before its own compression.
  for (std::size_t generated = 1; generated < span.asked; ++generated) {
    ++held;
    note(generated, schedule.token_appended(held));
  }
  return count;
}

std::optional<CodeSpan> find_code(std::span<const std::string_view> pieces, CodeOrigin origin,
                                  std::string_view code) {
  const PiecedText pieced(pieces);
  const std::string& text = pieced.text();
  const std::string phrase = fmt::format("code of {} is", code);
  CodeSpan span;
  std::size_t behind = 0;  // from here on it is asked for
  if (origin == CodeOrigin::kWorkedOut) {
    const std::size_t first = text.find(phrase);
    if (first == std::string::npos) return std::nullopt;
    behind = std::min(text.find('\n', first), text.size());
    span.known = pieced.piece_at(behind - 1).value_or(0) + 1;
  }
  std::size_t value = std::string::npos;
  const std::size_t last = text.rfind(phrase), box = text.rfind(kBox);
  if (last != std::string::npos && last >= behind) {
    value = text.find_first_not_of(' ', last + phrase.size());
  } else if (box != std::string::npos && box >= behind) {
    value = box + kBox.size();
  }
  const auto asked = pieced.piece_at(value);
  if (!asked) return std::nullopt;
  span.asked = *asked;
  return span;
}

std::optional<CodeSpan> find_code(const Model& model, std::span<const std::int32_t> ids,
                                  CodeOrigin origin, std::string_view code) {
  return find_code(pieces_of(model, ids), origin, code);
}

}  // namespace laconic
