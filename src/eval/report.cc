// SPDX-License-Identifier: Apache-2.0
#include "eval/report.h"

#include <fmt/format.h>

#include <algorithm>

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

using Rows = std::vector<std::vector<std::string>>;

// The first row is the head; the first column is text, the others are numbers.
std::string markdown(const Rows& rows) {
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

}  // namespace

double Share::accuracy() const {
  return problems == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(problems);
}

std::vector<ArmReport> report_arms(std::span<const EvaluatedArm> arms, std::uint64_t seed) {
  std::vector<ArmReport> reports;
  for (const EvaluatedArm& arm : arms) {
    reports.push_back(report_arm(arm));
    if (reports.size() == 1 || arm.samples.empty()) continue;
    reports.back().difference = paired_difference(gains(arms.front(), arm), seed);
  }
  return reports;
}

std::string report_table(std::span<const ArmReport> reports) {
  const Unit unit = unit_for(reports);
  Rows rows = {{"arm", "accuracy", "95 % interval", "difference", "tokens",
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
  return markdown(rows);
}

std::string family_table(std::span<const ArmReport> reports) {
  Rows rows = {{"arm"}};
  for (const auto& [name, share] : reports.front().families) {
    rows.front().push_back(fmt::format("{} ({})", name, share.problems));
  }
  for (const ArmReport& report : reports) {
    rows.push_back({report.name});
    for (const auto& [name, share] : report.families) {
      const Interval wilson = wilson_interval(share.correct, share.problems);
      rows.back().push_back(
          fmt::format("{} ({})", percent(share.accuracy()), interval_text(wilson)));
    }
  }
  return markdown(rows);
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
  return out;
}

}  // namespace laconic
