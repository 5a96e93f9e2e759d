// SPDX-License-Identifier: Apache-2.0
// llama-bench's columns and JSON field names, with the cache policy, its memory and the achieved
// bandwidth beside them.
#include <fmt/format.h>

#include <cmath>

#include "cli/bench.h"
#include "cli/kv_flags.h"
#include "cli/run_output.h"
#include "cli/version.h"

namespace laconic::cli {
namespace {

struct Spread {
  double mean = 0, deviation = 0;  // sample standard deviation
};

Spread spread_of(const std::vector<double>& values) {
  Spread out;
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  for (double value : values) out.mean += value / n;
  if (values.size() == 1) return out;
  double squares = 0;
  for (double value : values) squares += (value - out.mean) * (value - out.mean);
  out.deviation = std::sqrt(squares / (n - 1));
  return out;
}

std::vector<double> speeds(const BenchResult& result) {
  std::vector<double> out;
  for (double seconds : result.seconds) {
    out.push_back(static_cast<double>(result.test.tokens()) / seconds);
  }
  return out;
}

// Bytes per second, over the mean time.
std::optional<double> bandwidth(const BenchResult& result) {
  if (!result.bytes_moved) return std::nullopt;
  return *result.bytes_moved / spread_of(result.seconds).mean;
}

double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string markdown(const BenchContext& context, const std::vector<BenchResult>& results) {
  std::string out =
      "| model | size | params | backend | threads | batch | test | kv_policy | KV MiB | t/s | "
      "GB/s "
      "| % of bandwidth |\n"
      "|---|---:|---:|---|---:|---:|---|---|---:|---:|---:|---:|\n";
  for (const BenchResult& result : results) {
    const Spread speed = spread_of(speeds(result));
    std::string moved = "- | -";
    if (const auto rate = bandwidth(result)) {
      moved = fmt::format("{:.1f} | {:.0f} %", *rate / 1e9, *rate / context.read_bandwidth * 100);
    }
    out += fmt::format(
        "| {} | {:.2f} GiB | {:.2f} M | CPU | {} | {} | {} | {} | {:.1f} | {:.2f} ± {:.2f} | {} "
        "|\n",
        context.model_type, mebibytes(context.model_bytes) / 1024,
        static_cast<double>(context.parameters) / 1e6, context.threads, result.test.batch,
        result.test.label(), context.setup.kv.policy_name(), mebibytes(result.kv_peak_bytes),
        speed.mean, speed.deviation, moved);
  }
  out += fmt::format(
      "\nlaconic {}, {}, {}; read bandwidth {:.1f} GB/s in this run ({:.1f} to {:.1f})\n", kVersion,
      context.cpu, context.simd, context.read_bandwidth / 1e9, context.slowest_read / 1e9,
      context.fastest_read / 1e9);
  return out;
}

Json result_json(const BenchContext& context, const BenchResult& result) {
  std::vector<double> nanoseconds;
  for (double seconds : result.seconds) nanoseconds.push_back(std::round(seconds * 1e9));
  const Spread time = spread_of(nanoseconds), speed = spread_of(speeds(result));
  const std::string type(dtype_name(kv_dtype(context.setup.kv.type)));
  const auto rate = bandwidth(result);
  return {{"build_commit", kVersion},
          {"build_number", 0},
          {"cpu_info", context.cpu},
          {"gpu_info", ""},
          {"backends", "CPU"},
          {"model_filename", context.model_path},
          {"model_type", context.model_type},
          {"model_size", context.model_bytes},
          {"model_n_params", context.parameters},
          {"n_batch", context.setup.chunk},
          {"n_ubatch", context.setup.chunk},
          {"n_threads", context.threads},
          {"type_k", type},
          {"type_v", type},
          {"n_prompt", result.test.prompt},
          {"n_gen", result.test.generate},
          {"n_depth", result.test.depth},
          {"test_time", result.started},
          {"avg_ns", std::llround(time.mean)},
          {"stddev_ns", std::llround(time.deviation)},
          {"avg_ts", speed.mean},
          {"stddev_ts", speed.deviation},
          {"samples_ns", std::vector<std::int64_t>(nanoseconds.begin(), nanoseconds.end())},
          {"samples_ts", speeds(result)},
          {"batch", result.test.batch},
          {"depth_fill",
           context.setup.fill == DepthFill::kRandomRows ? "random rows" : "prompt tokens"},
          {"kv_policy", context.setup.kv.policy_name()},
          {"kv_options", kv_options_json(context.setup.kv)},
          {"kv_peak_bytes", result.kv_peak_bytes},
          {"simd", context.simd},
          {"bytes_per_second", rate ? Json(*rate) : Json(nullptr)},
          {"read_bandwidth", context.read_bandwidth}};
}

std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted;
  quoted.push_back('"');
  for (char c : text) {
    if (c == '"') quoted.push_back(c);
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

std::string csv(const BenchContext& context, const std::vector<BenchResult>& results) {
  std::string out;
  for (const BenchResult& result : results) {
    Json row = result_json(context, result);
    row.erase("samples_ns");
    row.erase("samples_ts");
    std::string names, cells;
    for (const auto& [name, value] : row.items()) {
      const char* comma = names.empty() ? "" : ",";
      names.append(comma).append(name);
      cells.append(comma).append(csv_cell(value));
    }
    if (out.empty()) out = names + "\n";
    out += cells + "\n";
  }
  return out;
}

}  // namespace

std::string bench_report(BenchFormat format, const BenchContext& context,
                         const std::vector<BenchResult>& results) {
  if (format == BenchFormat::kMarkdown) return markdown(context, results);
  if (format == BenchFormat::kCsv) return csv(context, results);
  Json rows = Json::array();
  for (const BenchResult& result : results) rows.push_back(result_json(context, result));
  return dump_json(rows, 2) + "\n";
}

}  // namespace laconic::cli
