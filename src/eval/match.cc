// SPDX-License-Identifier: Apache-2.0
#include "eval/match.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "eval/report.h"
#include "kv/schedule.h"

namespace laconic {
namespace {

constexpr double kPercent = 100;

std::string_view what_name(MatchWhat what) { return what == MatchWhat::kPeak ? "peak" : "mean"; }

std::string_view when_text(MatchWhat what) {
  return what == MatchWhat::kPeak ? "at the peak" : "on average over time";
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    out.push_back(text.substr(0, end));
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

double parse_fraction(std::string_view word) {
  double value = 0;
  const char* end = word.data() + word.size();
  const auto [stop, failure] = std::from_chars(word.data(), end, value);
  const bool read = failure == std::errc() && stop == end;
  if (!read || !(value > 0 && value <= 1)) {
    throw_usage("--at '{}' is no fraction of the full cache: above 0 and at most 1, like 0.5,0.25",
                word);
  }
  return value;
}

// Rows beyond the prompt's, of one answer.
double rows_of(const AnswerRows& answer, const KvOptions& options, MatchWhat what) {
  const double rows =
      what == MatchWhat::kPeak
          ? static_cast<double>(Schedule::peak_rows(options, answer.prompt, answer.generated))
          : Schedule::mean_rows(options, answer.prompt, answer.generated);
  return rows - static_cast<double>(answer.prompt);
}

double rows_of_all(std::span<const AnswerRows> answers, const KvOptions& options, MatchWhat what) {
  double sum = 0;
  for (const AnswerRows& answer : answers) sum += rows_of(answer, options, what);
  return sum;
}

// Settings low..high of one option; the fractions that they come to never shrink as they grow.
struct Choice {
  std::size_t low = 1, high = 1;
  std::function<KvOptions(std::size_t setting)> options;
};

// The simplest decimal number that leaves `rows` of each interval.
double ratio_for(std::size_t interval, std::size_t rows) {
  const double exact = static_cast<double>(interval) / static_cast<double>(rows);
  constexpr double kFinest = 1e6;
  for (double scale = 1; scale <= kFinest; scale *= 10) {
    const double rounded = std::floor(exact * scale) / scale;
    if (rounded >= 1 && rows_per_round(interval, rounded) == rows) return rounded;
  }
  return exact;
}

// By ratio: only the rows that stay of an interval matter.
Choice ratio_choice(const KvOptions& base) {
  return {1, base.interval, [base](std::size_t rows) {
            KvOptions out = base;
            out.ratio = ratio_for(base.interval, rows);
            return out;
          }};
}

// From the smallest budget that is allowed and holds the longest prompt, if it must, to one that no
// answer comes to.
Choice budget_choice(const KvOptions& base, std::span<const AnswerRows> answers) {
  const auto with_budget = [base](std::size_t budget) {
    KvOptions out = base;
    out.budget = budget;
    return out;
  };
  std::size_t longest_prompt = 0, longest = 0;
  for (const AnswerRows& answer : answers) {
    longest_prompt = std::max(longest_prompt, answer.prompt);
    longest = std::max(longest, answer.prompt + answer.generated);
  }
  const auto require = [&](std::size_t budget) {
    const KvOptions options = with_budget(budget);
    options.validate();
    require_budget(options, longest_prompt);
  };
  const auto allowed = [&](std::size_t budget) {
    try {
      require(budget);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  const std::size_t high = longest + base.interval + base.window + base.sink + 1;
  require(high);  // what is wrong with the options for another reason than the budget's size
  std::size_t low = 1, end = high;
  while (low < end) {
    const std::size_t middle = low + (end - low) / 2;
    if (allowed(middle)) {
      end = middle;
    } else {
      low = middle + 1;
    }
  }
  return {low, high, with_budget};
}

std::string setting_text(const KvOptions& options) {
  return options.by_budget() ? fmt::format("budget={}", options.budget)
                             : fmt::format("ratio={}", options.ratio);
}

[[noreturn]] void refuse(const MatchedOptions& closest, MatchWhat what, double fraction) {
  const bool least = closest.predicted > fraction;
  const bool held_prompt = closest.kv.by_budget() && closest.kv.protect_prompt;
  throw_usage(
      "it holds {} {:.1f} % of the full cache's generated rows {} (with {}), but {:.1f} % was "
      "asked "
      "for; {}{}",
      least ? "at least" : "at most", closest.predicted * kPercent, when_text(what),
      setting_text(closest.kv), fraction * kPercent,
      least ? "a shorter interval or window holds less" : "a larger cap holds more",
      least && held_prompt ? ", and so does a budget that need not hold the longest prompt" : "");
}

MatchedOptions closest(const Choice& choice, std::span<const AnswerRows> answers, MatchWhat what,
                       double asked) {
  const double full = rows_of_all(answers, KvOptions{}, what);
  const auto matched = [&](std::size_t setting) {
    KvOptions options = choice.options(setting);
    const double predicted = rows_of_all(answers, options, what) / full;
    return MatchedOptions{std::move(options), predicted};
  };
  // Half a step is what rounding costs anywhere else.
  const auto reached = [asked](double end, double next) {
    return std::abs(end - asked) <= std::abs(next - end) / 2;
  };
  const MatchedOptions least = matched(choice.low), most = matched(choice.high);
  if (least.predicted >= asked) {
    const double next = matched(std::min(choice.low + 1, choice.high)).predicted;
    if (!reached(least.predicted, next)) refuse(least, what, asked);
    return least;
  }
  if (most.predicted <= asked) {
    const double next = matched(choice.high > choice.low ? choice.high - 1 : choice.low).predicted;
    if (!reached(most.predicted, next)) refuse(most, what, asked);
    return most;
  }
  std::size_t below = choice.low, above = choice.high;  // less than asked; asked or more
  while (above - below > 1) {
    const std::size_t middle = below + (above - below) / 2;
    (matched(middle).predicted < asked ? below : above) = middle;
  }
  MatchedOptions lower = matched(below), upper = matched(above);
  return asked - lower.predicted <= upper.predicted - asked ? lower : upper;
}

// "rpc:interval=64" with "ratio=4.9" -> "rpc:interval=64,ratio=4.9"; what the name says of that
// option goes.
std::string renamed(std::string_view name, std::string_view setting) {
  const std::string_view option = setting.substr(0, setting.find('=') + 1);
  const std::size_t colon = std::min(name.find(':'), name.size());
  std::string out(name.substr(0, colon));
  char separator = ':';
  if (colon < name.size()) {
    for (const std::string_view part : split(name.substr(colon + 1), ',')) {
      if (part.substr(0, option.size()) == option) continue;
      out += separator;
      out += part;
      separator = ',';
    }
  }
  out += separator;
  out += setting;
  return out;
}

void require_free(const ArmSpec& arm) {
  if (!arm.kv.heads.empty()) {
    throw_usage("--match counts rows that all heads hold alike; in {} heads differ", arm.name);
  }
  const std::size_t colon = std::min(arm.name.find(':'), arm.name.size() - 1);
  for (const std::string_view part : split(std::string_view(arm.name).substr(colon + 1), ',')) {
    if (part.substr(0, 6) != "ratio=") continue;
    throw_usage("--match chooses the ratio: leave {} out of {}", part, arm.name);
  }
}

// Whether the same will be chosen for both.
bool same_but_for_budget(const KvOptions& a, const KvOptions& b) {
  if (a.policy != b.policy || !a.by_budget() || !b.by_budget()) return false;
  auto x = a.to_map(), y = b.to_map();
  x.erase("budget");
  y.erase("budget");
  return x == y;
}

double sum_of_rows(std::span<const Sample> samples, std::size_t row_bytes, MatchWhat what) {
  double sum = 0;
  for (const Sample& sample : samples) {
    const double bytes =
        what == MatchWhat::kPeak ? static_cast<double>(sample.kv_peak_bytes) : sample.kv_mean_bytes;
    sum += bytes / static_cast<double>(row_bytes) - static_cast<double>(sample.prompt_ids.size());
  }
  return sum;
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", fraction * kPercent); }

}  // namespace

MatchRequest parse_match(std::string_view what, std::string_view at) {
  MatchRequest request;
  if (what == "mean") {
    request.what = MatchWhat::kMean;
  } else if (what != "peak") {
    throw_usage("--match '{}' is not known: peak (most rows held) or mean (over time)", what);
  }
  for (const std::string_view word : split(at, ',')) {
    const double fraction = parse_fraction(word);
    const auto& known = request.fractions;
    if (std::find(known.begin(), known.end(), fraction) != known.end()) {
      throw_usage("--at {} is given twice", word);
    }
    request.fractions.push_back(fraction);
  }
  return request;
}

std::vector<AnswerRows> answer_rows(std::span<const Sample> samples) {
  std::vector<AnswerRows> out;
  for (const Sample& sample : samples) {
    const std::size_t tokens = sample.ids.size();
    out.push_back({sample.prompt_ids.size(), tokens == 0 ? 0 : tokens - 1});
  }
  return out;
}

double predicted_fraction(std::span<const AnswerRows> answers, const KvOptions& options,
                          MatchWhat what) {
  const double full = rows_of_all(answers, KvOptions{}, what);
  assert(full > 0);
  return rows_of_all(answers, options, what) / full;
}

MatchedOptions match_ratio(std::span<const AnswerRows> answers, const KvOptions& options,
                           MatchWhat what, double fraction) {
  if (!options.evicts()) throw_usage("the full cache has neither ratio nor budget to choose");
  const bool generated = std::any_of(answers.begin(), answers.end(),
                                     [](const AnswerRows& answer) { return answer.generated > 0; });
  if (!generated) throw_usage("the full cache's answers have no generated row to take a part of");
  const Choice choice =
      options.by_budget() ? budget_choice(options, answers) : ratio_choice(options);
  return closest(choice, answers, what, fraction);
}

bool is_full_cache(const KvOptions& options) { return !options.evicts() && options.heads.empty(); }

void check_match(std::span<const ArmSpec> arms) {
  std::vector<ArmSpec> free;
  for (const ArmSpec& arm : arms) {
    if (is_full_cache(arm.kv)) continue;
    require_free(arm);
    for (const ArmSpec& other : free) {
      if (!same_but_for_budget(other.kv, arm.kv)) continue;
      throw_usage(
          "--match chooses the budget, and {} and {} differ in nothing else; give one of them",
          other.name, arm.name);
    }
    free.push_back(arm);
  }
  if (free.empty()) {
    throw_usage(
        "--match chooses ratios and budgets, and no arm has one: --compare has to name an arm that "
        "evicts, like rpc:interval=64");
  }
}

std::vector<MatchedArm> match_arms(std::span<const ArmOptions> arms, std::span<const Sample> full,
                                   const MatchRequest& request) {
  std::vector<ArmSpec> specs;
  for (const ArmOptions& arm : arms) specs.push_back({arm.name, arm.session.kv});
  check_match(specs);
  const std::vector<AnswerRows> answers = answer_rows(full);
  std::vector<MatchedArm> out;
  for (const ArmOptions& arm : arms) {
    if (is_full_cache(arm.session.kv)) continue;
    for (const double fraction : request.fractions) {
      MatchedArm matched{arm, fraction, 0};
      try {
        MatchedOptions chosen = match_ratio(answers, arm.session.kv, request.what, fraction);
        matched.arm.session.kv = std::move(chosen.kv);
        matched.predicted = chosen.predicted;
      } catch (const Error& error) {
        throw Error(error.kind(), fmt::format("--match {}, {}: {}", what_name(request.what),
                                              arm.name, error.what()));
      }
      matched.arm.name = renamed(arm.name, setting_text(matched.arm.session.kv));
      for (const MatchedArm& other : out) {
        if (other.arm.name != matched.arm.name) continue;
        throw_usage("--at {} and {} both come to {}; ask for fractions that are further apart",
                    other.asked, fraction, other.arm.name);
      }
      out.push_back(std::move(matched));
    }
  }
  return out;
}

ObtainedFractions obtained_fractions(const ModelInfo& model, KvType type,
                                     std::span<const Sample> samples, KvType full_type,
                                     std::span<const Sample> full) {
  const auto fraction = [&](MatchWhat what) {
    const double of = sum_of_rows(full, bytes_of_rows(model, full_type), what);
    return of > 0 ? sum_of_rows(samples, bytes_of_rows(model, type), what) / of : 0.0;
  };
  return {fraction(MatchWhat::kPeak), fraction(MatchWhat::kMean)};
}

std::string match_table(std::span<const MatchResult> results, MatchWhat what) {
  TableRows rows = {{"arm", fmt::format("asked {}", what_name(what)), "by the law", "obtained peak",
                     "obtained mean"}};
  for (const MatchResult& result : results) {
    rows.push_back({result.name, percent(result.asked), percent(result.predicted),
                    percent(result.obtained.peak), percent(result.obtained.mean)});
  }
  return markdown_table(rows);
}

Json match_json(std::span<const MatchResult> results, MatchWhat what) {
  Json arms = Json::array();
  for (const MatchResult& result : results) {
    arms.push_back({{"name", result.name},
                    {"asked", result.asked},
                    {"predicted", result.predicted},
                    {"peak", result.obtained.peak},
                    {"mean", result.obtained.mean}});
  }
  return {{"what", what_name(what)}, {"arms", std::move(arms)}};
}

}  // namespace laconic
