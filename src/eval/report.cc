// SPDX-License-Identifier: Apache-2.0
#include "eval/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "engine/loop_detector.h"
#include "kv/sequence_cache.h"

namespace laconic {
namespace {

bool truncated(const Sample& sample) {
  return sample.finish_reason == finish_reason_name(FinishReason::kLength) ||
         sample.finish_reason == finish_reason_name(FinishReason::kKvFull);
}

void count(const Sample& sample, Share& share) {
  ++share.problems;
  if (sample.correct) ++share.correct;
}

void count_repetition(const Sample& sample, double weight, ArmReport& report) {
  const std::size_t repeated = repeated_grams(sample.ids);
  if (repeated > 0) {
    ++report.repeating;
    const auto grams = static_cast<double>(sample.ids.size() - kLongGram + 1);
    report.repeated_share += weight * static_cast<double>(repeated) / grams;
  }
  if (few_distinct_stop(sample.ids)) ++report.few_distinct;
}

// `both`: only problems that this arm solved too.
std::optional<Inflation> inflation(const EvaluatedArm& first, const EvaluatedArm& other, bool both,
                                   std::uint64_t seed) {
  std::vector<double> tops, bottoms;
  for (std::size_t i = 0; i < first.samples.size(); ++i) {
    const Sample &before = first.samples[i], &now = other.samples[i];
    if (!before.correct || before.ids.empty() || (both && !now.correct)) continue;
    tops.push_back(static_cast<double>(now.ids.size()));
    bottoms.push_back(static_cast<double>(before.ids.size()));
  }
  if (tops.empty()) return std::nullopt;
  return Inflation{tops.size(), bootstrap_ratio(tops, bottoms, seed)};
}

ArmReport report_arm(const EvaluatedArm& arm) {
  ArmReport report;
  report.name = arm.name;
  report.decoded = arm.decoded;
  report.seconds = arm.totals.decode_seconds;
  if (arm.totals.tokens > 0 && report.seconds > 0) {
    report.tokens_per_second = static_cast<double>(arm.totals.tokens) / report.seconds;
  }
  const auto n = static_cast<double>(arm.samples.size());
  for (const Sample& sample : arm.samples) {
    count(sample, report.share);
    if (!sample.family.empty()) count(sample, report.families[sample.family]);
    report.mean_tokens += static_cast<double>(sample.ids.size()) / n;
    report.kv_peak_bytes += static_cast<double>(sample.kv_peak_bytes) / n;
    report.kv_mean_bytes += sample.kv_mean_bytes / n;
    if (sample.finish_reason == finish_reason_name(FinishReason::kLoop)) ++report.loops;
    if (truncated(sample)) ++report.truncated;
    count_repetition(sample, 1 / n, report);
  }
  report.wilson = wilson_interval(report.share.correct, report.share.problems);
  return report;
}

std::vector<int> gains(const EvaluatedArm& first, const EvaluatedArm& other) {
  std::vector<int> out;
  for (std::size_t i = 0; i < first.samples.size(); ++i) {
    out.push_back(int{other.samples[i].correct} - int{first.samples[i].correct});
  }
  return out;
}

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string interval_text(const Interval& interval) {
  return fmt::format("{:.1f} to {:.1f}", interval.low * 100, interval.high * 100);
}

std::string difference_text(const std::optional<Difference>& difference) {
  if (!difference) return "";
  return fmt::format("{:+.1f} ({:+.1f} to {:+.1f})", difference->mean * 100,
                     difference->interval.low * 100, difference->interval.high * 100);
}

std::string ratio_text(const std::optional<Inflation>& length) {
  if (!length) return "";
  const Ratio& tokens = length->tokens;
  return fmt::format("{:.2f} ({:.2f} to {:.2f}; {})", tokens.value, tokens.interval.low,
                     tokens.interval.high, length->problems);
}

std::string share_text(std::size_t answers, std::size_t problems) {
  const Share share{answers, problems};
  return fmt::format("{} ({})", percent(share.accuracy()),
                     interval_text(wilson_interval(answers, problems)));
}

struct Unit {
  const char* name;
  double bytes;
};

// One unit for all rows, so that they can be compared at a glance.
Unit unit_for(std::span<const ArmReport> reports) {
  double most = 0;
  for (const ArmReport& report : reports) most = std::max(most, report.kv_peak_bytes);
  constexpr double kMiB = 1024.0 * 1024.0;
  return most >= 10 * kMiB ? Unit{"MiB", kMiB} : Unit{"KiB", 1024.0};
}

Json share_json(const Share& share) {
  const Interval wilson = wilson_interval(share.correct, share.problems);
  return {{"problems", share.problems},
          {"correct", share.correct},
          {"accuracy", share.accuracy()},
          {"wilson", {wilson.low, wilson.high}}};
}

Json inflation_json(const std::optional<Inflation>& length) {
  if (!length) return nullptr;
  const Interval& interval = length->tokens.interval;
  return {{"problems", length->problems},
          {"ratio", length->tokens.value},
          {"interval", {interval.low, interval.high}}};
}

void add_measures(Json& out, const ArmReport& report) {
  out["repeated_64grams"] = {{"answers", report.repeating}, {"share", report.repeated_share}};
  out["few_distinct"] = report.few_distinct;
  out["inflation_both"] = inflation_json(report.inflation_both);
  out["inflation_first"] = inflation_json(report.inflation_first);
  out["kv_peak_rows"] = report.rows ? Json(report.rows->peak) : Json(nullptr);
  out["kv_mean_rows"] = report.rows ? Json(report.rows->mean) : Json(nullptr);
}

}  // namespace

double Share::accuracy() const {
  return problems == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(problems);
}

std::size_t bytes_of_rows(const ModelInfo& model, KvType type) {
  return model.layers * model.kv_heads * 2 * row_bytes(kv_dtype(type), model.head_dim);
}

std::vector<ArmReport> report_arms(std::span<const EvaluatedArm> arms, std::uint64_t seed,
                                   std::span<const std::size_t> bytes_of_row) {
  assert(bytes_of_row.empty() || bytes_of_row.size() == arms.size());
  std::vector<ArmReport> reports;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    ArmReport& report = reports.emplace_back(report_arm(arms[i]));
    if (!bytes_of_row.empty()) {
      const auto bytes = static_cast<double>(bytes_of_row[i]);
      report.rows = CacheRows{report.kv_peak_bytes / bytes, report.kv_mean_bytes / bytes};
    }
    if (i == 0 || arms[i].samples.empty()) continue;
    report.difference = paired_difference(gains(arms.front(), arms[i]), seed);
    report.inflation_both = inflation(arms.front(), arms[i], /*both=*/true, seed);
    report.inflation_first = inflation(arms.front(), arms[i], /*both=*/false, seed);
  }
  return reports;
}

std::string markdown_table(const TableRows& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 3);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      out += i == 0 ? fmt::format("| {:<{}} |", rows[r][i], widths[i])
                    : fmt::format(" {:>{}} |", rows[r][i], widths[i]);
    }
    out += "\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      out += i == 0 ? "|" + std::string(widths[i] + 2, '-') + "|"
                    : std::string(widths[i] + 1, '-') + ":|";
    }
    out += "\n";
  }
  return out;
}

std::string report_table(std::span<const ArmReport> reports) {
  const Unit unit = unit_for(reports);
  TableRows rows = {{"arm", "accuracy", "95 % interval", "difference", "tokens",
                     fmt::format("KV peak {}", unit.name), fmt::format("KV mean {}", unit.name),
                     "tokens/s", "loops", "truncated"}};
  for (const ArmReport& report : reports) {
    rows.push_back({report.name, percent(report.share.accuracy()), interval_text(report.wilson),
                    difference_text(report.difference), fmt::format("{:.1f}", report.mean_tokens),
                    fmt::format("{:.1f}", report.kv_peak_bytes / unit.bytes),
                    fmt::format("{:.1f}", report.kv_mean_bytes / unit.bytes),
                    report.tokens_per_second ? fmt::format("{:.0f}", *report.tokens_per_second)
                                             : std::string("-"),
                    std::to_string(report.loops), std::to_string(report.truncated)});
  }
  return markdown_table(rows);
}

std::string family_table(std::span<const ArmReport> reports) {
  TableRows rows = {{"arm"}};
  for (const auto& [name, share] : reports.front().families) {
    rows.front().push_back(fmt::format("{} ({})", name, share.problems));
  }
  for (const ArmReport& report : reports) {
    rows.push_back({report.name});
    for (const auto& [name, share] : report.families) {
      rows.back().push_back(share_text(share.correct, share.problems));
    }
  }
  return markdown_table(rows);
}

std::string measures_table(std::span<const ArmReport> reports) {
  TableRows rows = {{"arm", "repeated 64-grams", "few distinct", "length, both solve",
                     "length, first solves", "peak rows", "mean rows"}};
  for (const ArmReport& report : reports) {
    const std::size_t problems = report.share.problems;
    const auto rows_text = [&](double CacheRows::*which) {
      return report.rows ? fmt::format("{:.1f}", (*report.rows).*which) : std::string("-");
    };
    rows.push_back({report.name, share_text(report.repeating, problems),
                    share_text(report.few_distinct, problems), ratio_text(report.inflation_both),
                    ratio_text(report.inflation_first), rows_text(&CacheRows::peak),
                    rows_text(&CacheRows::mean)});
  }
  return markdown_table(rows);
}

Json report_json(const ArmReport& report) {
  Json out = share_json(report.share);
  out["name"] = report.name;
  out["difference"] = nullptr;
  if (const auto& difference = report.difference) {
    out["difference"] = {{"mean", difference->mean},
                         {"interval", {difference->interval.low, difference->interval.high}}};
  }
  out["mean_tokens"] = report.mean_tokens;
  out["kv_peak_bytes"] = report.kv_peak_bytes;
  out["kv_mean_bytes"] = report.kv_mean_bytes;
  out["tokens_per_second"] =
      report.tokens_per_second ? Json(*report.tokens_per_second) : Json(nullptr);
  out["decoded"] = report.decoded;
  out["seconds"] = report.seconds;
  out["loops"] = report.loops;
  out["truncated"] = report.truncated;
  out["families"] = Json::object();
  for (const auto& [name, share] : report.families) out["families"][name] = share_json(share);
  add_measures(out, report);
  return out;
}

}  // namespace laconic
