// SPDX-License-Identifier: Apache-2.0
#include "eval/probe_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <functional>
#include <iterator>
#include <set>

#include "eval/statistics.h"

namespace laconic {
namespace {

std::string cell(const Share& share) {
  if (share.problems == 0) return "";
  const Interval wilson = wilson_interval(share.correct, share.problems);
  return fmt::format("{:.1f} % of {} ({:.1f} to {:.1f})", share.accuracy() * 100, share.problems,
                     wilson.low * 100, wilson.high * 100);
}

std::string found_cell(const ProbeRow& row) {
  if (row.asked == 0) return "";
  return fmt::format("{:.1f}, {} of {} moved", row.mean_found(), row.moved, row.asked);
}

// The arms side by side, with a line for each number that problems were drawn for.
std::string table(std::span<const ProbeArm> arms, CodeOrigin origin, std::string_view head,
                  const std::function<std::string(const ProbeRow&)>& cell_of) {
  TableRows rows = {{fmt::format("{}, {}", head, code_origin_name(origin))}};
  std::set<std::size_t> counts;
  for (const ProbeArm& arm : arms) {
    rows.front().push_back(arm.name);
    const auto found = arm.rows.find(origin);
    if (found == arm.rows.end()) continue;
    for (const auto& [count, row] : found->second) counts.insert(count);
  }
  for (const std::size_t count : counts) {
    rows.push_back({std::to_string(count)});
    for (const ProbeArm& arm : arms) {
      ProbeRow row;
      const auto of_origin = arm.rows.find(origin);
      if (of_origin != arm.rows.end()) {
        const auto found = of_origin->second.find(count);
        if (found != of_origin->second.end()) row = found->second;
      }
      rows.back().push_back(cell_of(row));
    }
  }
  return markdown_table(rows);
}

std::string_view json_name(CodeOrigin origin) {
  return origin == CodeOrigin::kStated ? "stated" : "worked_out";
}

std::string_view reason_text(ProbeGap::Reason reason) {
  switch (reason) {
    case ProbeGap::Reason::kTooLong:
      return "longer problems do not fit the context or the limits given";
    case ProbeGap::Reason::kTooShort:
      return "the shortest problem has more";
    case ProbeGap::Reason::kBetween:
      break;
  }
  return "one step of a problem brings more than one";
}

// "3", "3 (5 problems)", "3 to 7".
std::string counts_text(std::span<const ProbeGap> gaps) {
  std::string out;
  for (std::size_t i = 0; i < gaps.size();) {
    std::size_t last = i;
    const auto follows = [&](const ProbeGap& gap) {
      return gap.drawn == 0 && gaps[last].drawn == 0 && gap.count == gaps[last].count + 1;
    };
    while (last + 1 < gaps.size() && follows(gaps[last + 1])) ++last;
    if (!out.empty()) out += ", ";
    out += std::to_string(gaps[i].count);
    if (last > i) out += fmt::format(" to {}", gaps[last].count);
    if (gaps[i].drawn > 0) out += fmt::format(" ({} problems)", gaps[i].drawn);
    i = last + 1;
  }
  return out;
}

}  // namespace

double ProbeRow::mean_found() const {
  return static_cast<double>(found) / static_cast<double>(asked);
}

std::size_t ProbeArm::unasked() const {
  std::size_t sum = 0;
  for (const auto& [origin, counts] : rows) {
    for (const auto& [count, row] : counts) sum += row.share.problems - row.asked;
  }
  return sum;
}

std::vector<ProbeArm> report_probe(const Model& model, const ProbePlan& plan,
                                   std::span<const ArmOptions> arms,
                                   std::span<const EvaluatedArm> evaluated) {
  assert(arms.size() == evaluated.size());
  std::vector<ProbeArm> out;
  for (std::size_t a = 0; a < arms.size(); ++a) {
    const KvOptions* schedule = probe_schedule(arms, a);
    assert(schedule != nullptr && evaluated[a].samples.size() == plan.items.size());
    ProbeArm& arm = out.emplace_back();
    arm.name = evaluated[a].name;
    for (std::size_t i = 0; i < plan.items.size(); ++i) {
      const ProbeItem& item = plan.items[i];
      const Sample& sample = evaluated[a].samples[i];
      const auto found = find_code(model, sample.ids, item.origin, item.code);
      ProbeRow& row = arm.rows[item.origin][item.count];
      ++row.share.problems;
      if (sample.correct) ++row.share.correct;
      if (!found) continue;
      const std::size_t prompt = sample.prompt_ids.size();
      const std::size_t count = compressions_between(*schedule, prompt, *found);
      ++row.asked;
      row.found += count;
      if (count != compressions_between(*schedule, prompt, item.planned)) ++row.moved;
    }
  }
  return out;
}

std::string probe_table(std::span<const ProbeArm> arms, CodeOrigin origin) {
  return table(arms, origin, "compressions", [](const ProbeRow& row) { return cell(row.share); });
}

std::string probe_found_table(std::span<const ProbeArm> arms, CodeOrigin origin) {
  return table(arms, origin, "in the answers", found_cell);
}

std::string probe_gaps_text(std::span<const ProbeGap> gaps) {
  std::string out;
  for (const CodeOrigin origin : kCodeOrigins) {
    for (const auto reason :
         {ProbeGap::Reason::kTooShort, ProbeGap::Reason::kBetween, ProbeGap::Reason::kTooLong}) {
      std::vector<ProbeGap> same;
      std::copy_if(gaps.begin(), gaps.end(), std::back_inserter(same), [&](const ProbeGap& gap) {
        return gap.origin == origin && gap.reason == reason;
      });
      if (same.empty()) continue;
      out += fmt::format("Not reached with {} codes: {} compressions; {}.\n",
                         code_origin_name(origin), counts_text(same), reason_text(reason));
    }
  }
  return out;
}

Json probe_json(const ProbeArm& arm) {
  Json out = {{"name", arm.name}, {"unasked", arm.unasked()}};
  for (const CodeOrigin origin : kCodeOrigins) {
    Json& list = out[std::string(json_name(origin))] = Json::array();
    const auto found = arm.rows.find(origin);
    if (found == arm.rows.end()) continue;
    for (const auto& [compressions, row] : found->second) {
      const Share& share = row.share;
      const Interval wilson = wilson_interval(share.correct, share.problems);
      list.push_back({{"compressions", compressions},
                      {"problems", share.problems},
                      {"correct", share.correct},
                      {"accuracy", share.accuracy()},
                      {"wilson", {wilson.low, wilson.high}},
                      {"asked", row.asked},
                      {"mean_found", row.asked > 0 ? Json(row.mean_found()) : Json(nullptr)},
                      {"moved", row.moved}});
    }
  }
  return out;
}

Json probe_gaps_json(std::span<const ProbeGap> gaps) {
  Json out = Json::array();
  for (const ProbeGap& gap : gaps) {
    out.push_back({{"origin", json_name(gap.origin)},
                   {"compressions", gap.count},
                   {"drawn", gap.drawn},
                   {"reason", reason_text(gap.reason)}});
  }
  return out;
}

}  // namespace laconic
