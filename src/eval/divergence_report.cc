// SPDX-License-Identifier: Apache-2.0
#include "eval/divergence_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "eval/report.h"

namespace laconic {
namespace {

// Sums of a stage become means.
void divide(DivergenceStage& stage) {
  if (stage.steps == 0) return;
  stage.mean /= static_cast<double>(stage.steps);
  stage.agreement /= static_cast<double>(stage.steps);
}

void count(const DivergenceStep& step, DivergenceStage& stage) {
  ++stage.steps;
  stage.mean += step.kl;
  if (step.agrees) stage.agreement += 1;
}

std::string nats(double value) { return fmt::format("{:.3g}", value); }

// Numbers of compressions that share a column: [first, last].
struct Column {
  std::size_t first = 0, last = 0;
};

// 0, 1, 2, 3, 4, 5-8, 9-16, ...: a policy that compresses at every token has hundreds.
std::vector<Column> columns_for(std::size_t stages) {
  constexpr std::size_t kSingles = 5;
  std::vector<Column> columns;
  for (std::size_t first = 0, last = 0; first < stages; first = last + 1) {
    last = first < kSingles ? first : 2 * (first - 1);
    columns.push_back({first, last});
  }
  return columns;
}

DivergenceStage merged(const DivergenceReport& report, const Column& column) {
  DivergenceStage out;
  for (std::size_t i = column.first; i <= column.last && i < report.stages.size(); ++i) {
    const DivergenceStage& stage = report.stages[i];
    const auto steps = static_cast<double>(stage.steps);
    out.steps += stage.steps;
    out.mean += stage.mean * steps;
    out.agreement += stage.agreement * steps;
  }
  divide(out);
  return out;
}

}  // namespace

DivergenceReport report_divergence(const ArmDivergence& arm, std::uint64_t seed) {
  assert(!arm.answers.empty());
  DivergenceReport report;
  report.name = arm.name;
  report.answers = arm.answers.size();
  std::vector<double> sums, lengths, all;
  DivergenceStage whole;
  for (const std::vector<DivergenceStep>& steps : arm.answers) {
    assert(!steps.empty());
    double sum = 0;
    for (const DivergenceStep& step : steps) {
      if (report.stages.size() <= step.compressions) report.stages.resize(step.compressions + 1);
      count(step, report.stages[step.compressions]);
      count(step, whole);
      sum += step.kl;
      all.push_back(step.kl);
    }
    sums.push_back(sum);
    lengths.push_back(static_cast<double>(steps.size()));
  }
  for (DivergenceStage& stage : report.stages) divide(stage);
  divide(whole);
  report.steps = whole.steps;
  report.agreement = whole.agreement;
  report.mean = bootstrap_ratio(sums, lengths, seed);
  report.maximum = *std::max_element(all.begin(), all.end());
  report.percentile99 = percentile(std::move(all), 99);
  return report;
}

std::string divergence_table(std::span<const DivergenceReport> reports) {
  TableRows rows = {
      {"arm", "KL mean", "95 % interval", "99 %", "maximum", "same token", "answers", "steps"}};
  for (const DivergenceReport& report : reports) {
    const Interval& interval = report.mean.interval;
    rows.push_back({report.name, nats(report.mean.value),
                    fmt::format("{} to {}", nats(interval.low), nats(interval.high)),
                    nats(report.percentile99), nats(report.maximum),
                    fmt::format("{:.2f} %", report.agreement * 100), std::to_string(report.answers),
                    std::to_string(report.steps)});
  }
  return markdown_table(rows);
}

std::string divergence_stage_table(std::span<const DivergenceReport> reports) {
  std::size_t stages = 0;
  for (const DivergenceReport& report : reports) stages = std::max(stages, report.stages.size());
  const std::vector<Column> columns = columns_for(stages);
  TableRows rows = {{"KL after so many compressions"}};
  for (const Column& column : columns) {
    rows.front().push_back(column.first == column.last
                               ? std::to_string(column.first)
                               : fmt::format("{}-{}", column.first, column.last));
  }
  for (const DivergenceReport& report : reports) {
    rows.push_back({report.name});
    for (const Column& column : columns) {
      const DivergenceStage stage = merged(report, column);
      rows.back().push_back(stage.steps == 0 ? "-" : nats(stage.mean));
    }
  }
  return markdown_table(rows);
}

Json divergence_json(const DivergenceReport& report) {
  Json stages = Json::array();
  for (std::size_t i = 0; i < report.stages.size(); ++i) {
    const DivergenceStage& stage = report.stages[i];
    if (stage.steps == 0) continue;
    stages.push_back({{"compressions", i},
                      {"steps", stage.steps},
                      {"mean", stage.mean},
                      {"agreement", stage.agreement}});
  }
  return {{"name", report.name},
          {"answers", report.answers},
          {"steps", report.steps},
          {"mean", report.mean.value},
          {"interval", {report.mean.interval.low, report.mean.interval.high}},
          {"p99", report.percentile99},
          {"maximum", report.maximum},
          {"agreement", report.agreement},
          {"by_compressions", std::move(stages)}};
}

}  // namespace laconic
