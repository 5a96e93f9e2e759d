// SPDX-License-Identifier: Apache-2.0
// One row per mark: a table, or JSON with the stops beside it.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/bench_generation.h"
#include "cli/kv_flags.h"
#include "cli/run_output.h"
#include "cli/values.h"
#include "cli/version.h"

namespace laconic::cli {
namespace {

double speed(const GenerationResult& result, const GenerationMark& mark) {
  return static_cast<double>(result.test.batch * mark.generated) / mark.seconds;
}

// Bytes per second: the weights once per step, and the rows.
double bandwidth(const BenchContext& context, const GenerationMark& mark) {
  const double step = static_cast<double>(context.bytes_per_step) + mark.mean_bytes;
  return step * static_cast<double>(mark.generated) / mark.seconds;
}

std::string markdown(const BenchContext& context, const std::vector<GenerationResult>& results) {
  constexpr double kMib = 1 << 20;
  std::string out =
      "| model | kv_policy | batch | prompt | generated | t/s | KV mean MiB | KV peak MiB | "
      "in compressions | GB/s | % of bandwidth |\n"
      "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const GenerationResult& result : results) {
    for (const GenerationMark& mark : result.marks) {
      out += fmt::format("| {} | {} | {} | {} | {} | ", context.model_type,
                         context.setup.kv.policy_name(), result.test.batch, result.test.prompt,
                         mark.generated);
      if (!mark.fits) {
        out += fmt::format("does not fit: {} of {} | - | - | - | - | - |\n",
                           readable_bytes(static_cast<double>(mark.needed_bytes)),
                           readable_bytes(static_cast<double>(result.free_bytes)));
        continue;
      }
      const double rate = bandwidth(context, mark);
      out += fmt::format("{:.2f} | {:.1f} | {:.1f} | {:.2f} % | {:.1f} | {:.0f} % |\n",
                         speed(result, mark), mark.mean_bytes / kMib, mark.peak_bytes / kMib,
                         mark.compression_seconds / mark.seconds * 100, rate / 1e9,
                         rate / context.read_bandwidth * 100);
    }
  }
  return out + fmt::format(
                   "\nlaconic {}, {}, {}, {} threads; read bandwidth {:.1f} GB/s in this run "
                   "({:.1f} to {:.1f})\n",
                   kVersion, context.cpu, context.simd, context.threads,
                   context.read_bandwidth / 1e9, context.slowest_read / 1e9,
                   context.fastest_read / 1e9);
}

Json mark_json(const BenchContext& context, const GenerationResult& result,
               const GenerationMark& mark) {
  Json out = {{"n_gen", mark.generated}, {"needed_bytes", mark.needed_bytes}, {"fits", mark.fits}};
  if (!mark.fits) return out;
  out.update({{"avg_ts", speed(result, mark)},
              {"seconds", mark.seconds},
              {"compression_seconds", mark.compression_seconds},
              {"kv_mean_bytes", mark.mean_bytes},
              {"kv_peak_bytes", mark.peak_bytes},
              {"bytes_per_second", bandwidth(context, mark)}});
  return out;
}

Json result_json(const BenchContext& context, const GenerationResult& result) {
  Json marks = Json::array(), stops = Json::array();
  for (const GenerationMark& mark : result.marks) {
    marks.push_back(mark_json(context, result, mark));
  }
  for (const GenerationStop& stop : result.stops) {
    stops.push_back(
        {{"n_gen", stop.generated}, {"kv_bytes", stop.bytes}, {"seconds_per_step", stop.seconds}});
  }
  return {{"model_filename", context.model_path},
          {"model_type", context.model_type},
          {"model_size", context.model_bytes},
          {"bytes_per_step", context.bytes_per_step},
          {"cpu_info", context.cpu},
          {"simd", context.simd},
          {"n_threads", context.threads},
          {"batch", result.test.batch},
          {"n_prompt", result.test.prompt},
          {"points", result.test.points},
          {"kv_policy", context.setup.kv.policy_name()},
          {"kv_options", kv_options_json(context.setup.kv)},
          {"free_bytes", result.free_bytes},
          {"read_bandwidth", context.read_bandwidth},
          {"marks", marks},
          {"stops", stops}};
}

}  // namespace

std::string generation_report(BenchFormat format, const BenchContext& context,
                              const std::vector<GenerationResult>& results) {
  if (format == BenchFormat::kMarkdown) return markdown(context, results);
  Json rows = Json::array();
  for (const GenerationResult& result : results) rows.push_back(result_json(context, result));
  return dump_json(rows, 2) + "\n";
}

}  // namespace laconic::cli
