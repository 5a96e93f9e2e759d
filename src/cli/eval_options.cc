// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "cli/eval_kld.h"
#include "cli/kv_flags.h"
#include "cli/loading_flags.h"
#include "cli/numbers.h"
#include "cli/output_paths.h"
#include "cli/values.h"
#include "io/head_table.h"
#include "kv/head_set.h"
#include "kv/sequence_cache.h"

namespace laconic::cli {
namespace {

void declare_task(CLI::App& app, EvalOptions& o) {
  constexpr const char* kGroup = "Task";
  app.add_option("-m,--model", o.model, "Hugging Face directory or GGUF file")
      ->required()
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("--task", o.task, "problems as JSON lines: question, answer that ends in #### N")
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("--compare", o.compare,
                 "full, or rpc:interval=64,window=8; may be repeated; the first is what the others "
                 "are compared with (full)")
      ->type_name("ARM")
      ->allow_extra_args(false)
      ->group(kGroup);
  add_count(app, "--limit", o.limit, 1, kMostCount, "only the first N problems (all)")
      ->group(kGroup);
  app.add_option("--instruction", o.instruction, "text after every question")
      ->type_name("TEXT")
      ->group(kGroup);
  app.add_flag("--raw,--no-chat", o.raw, "plain text: no chat template")->group(kGroup);
  app.add_option("--reasoning", o.reasoning, "think first: on, off or auto (auto)")
      ->check(CLI::IsMember({"on", "off", "auto"}))
      ->type_name("MODE")
      ->group(kGroup);
  app.add_option("--match", o.match,
                 "equal memory: peak or mean; each arm's ratio or budget is chosen for --at")
      ->type_name("WHAT")
      ->group(kGroup);
  app.add_option("--at", o.at, "with --match: generated rows over the full cache's, like 0.5,0.25")
      ->type_name("LIST")
      ->group(kGroup);
  app.add_option("--kld", o.kld,
                 "instead of --task: along the answers of this samples file, how far each arm's "
                 "predictions lie from the full cache's")
      ->type_name("PATH")
      ->group(kGroup);
  add_limit(app, "-n,--n-predict,--max-tokens", o.max_tokens,
            "most new tokens per answer; -1: to the end (-1)")
      ->group(kGroup);
}

void declare_output(CLI::App& app, EvalOptions& o) {
  constexpr const char* kGroup = "Output";
  app.add_flag("--by-family", o.by_family, "a second table: accuracy per family of problems")
      ->group(kGroup);
  app.add_flag("--measures", o.measures,
               "another table: repetitions, length against the first arm, rows")
      ->group(kGroup);
  app.add_option("--json", o.json, "the table's numbers as JSON")->type_name("PATH")->group(kGroup);
  app.add_option("--samples", o.samples, "every answer as a JSON line; a stopped run goes on there")
      ->type_name("PATH")
      ->group(kGroup);
}

void declare_machine(CLI::App& app, EvalOptions& o) {
  add_count(app, "--batch", o.batch, 1, kMostCount, "most answers at once (16)")->group("Machine");
  add_context(app, o.context);
  add_quantize(app, o.quantize);
  add_kv_memory(app, o.kv_memory);
  app.add_option("--kv-type", o.kv_type, "element type of cache rows: f16, bf16, f32, q8_0 (f16)")
      ->check(CLI::IsMember({"f16", "bf16", "f32", "q8_0"}))
      ->type_name("TYPE")
      ->group("KV cache");
}

Reasoning reasoning_mode(const std::string& name) {
  return name == "on" ? Reasoning::kOn : name == "off" ? Reasoning::kOff : Reasoning::kAuto;
}

}  // namespace

void EvalOptions::declare(CLI::App& app) {
  declare_task(app, *this);
  probe.declare(app);
  sampling.declare(app);
  declare_output(app, *this);
  machine.declare(app);
  declare_machine(app, *this);
}

void EvalOptions::check_mode() const {
  const int modes = !task.empty() + !kld.empty() + probe.given();
  if (modes != 1) throw_usage("eval needs one of --task, --probe and --kld");
  const auto refuse = [](bool given, const char* flag, const char* mode) {
    if (given) throw_usage("{} has no effect with {}", flag, mode);
  };
  const char* mode = probe.given() ? "--probe" : "--kld";
  if (task.empty()) {
    refuse(by_family, "--by-family", mode);
    refuse(measures, "--measures", mode);
    refuse(!match.empty(), "--match", mode);
    refuse(!at.empty(), "--at", mode);
  }
  if (probe.given()) refuse(limit > 0, "--limit", mode);
  if (kld.empty()) return;
  refuse(!samples.empty(), "--samples", mode);
  refuse(!instruction.empty(), "--instruction", mode);
  refuse(raw, "--raw", mode);
  refuse(reasoning != "auto", "--reasoning", mode);
  refuse(max_tokens != -1, "-n", mode);
  const char* sampled = sampling.first_given();
  refuse(sampled != nullptr && std::string_view(sampled) != "--seed", sampled, mode);
}

std::optional<MatchRequest> EvalOptions::match_request() const {
  if (match.empty() != at.empty()) throw_usage("--match and --at need each other");
  if (match.empty()) return std::nullopt;
  return parse_match(match, at);
}

void EvalOptions::check() const {
  check_mode();
  if (raw && reasoning != "auto") throw_usage("--reasoning has no effect with --raw");
  if (max_tokens == 0) throw_usage("-n 0 leaves no room for an answer: at least 1, or -1");
  if (!kv_memory.empty()) parse_size(kv_memory, "--kv-memory");
  const std::vector<ArmSpec> specs = arm_specs();
  probe.check(specs);
  if (!kld.empty()) check_kld(specs);
  if (match_request()) check_match(specs);
  sampling.check();
  check_files(specs);
}

// No output is a file that is read.
void EvalOptions::check_files(std::span<const ArmSpec> specs) const {
  struct Read {
    std::filesystem::path path;
    const char* what;
  };
  std::vector<Read> inputs;
  if (!task.empty()) inputs.push_back({task, "task"});
  if (!kld.empty()) inputs.push_back({kld, "samples file"});
  for (const ArmSpec& arm : specs) {
    const std::string& heads = arm.kv.heads;
    if (heads.empty() || random_heads_seed(heads)) continue;
    inputs.push_back({head_table_file(heads), "table of heads"});
  }
  std::vector<OutputPath> outputs;
  if (!json.empty()) outputs.push_back({"--json", json});
  if (!samples.empty()) outputs.push_back({"--samples", samples, OutputKind::kAppended});
  for (const OutputPath& output : outputs) {
    for (const Read& read : inputs) {
      std::error_code absent;
      if (!std::filesystem::equivalent(output.path, read.path, absent)) continue;
      throw_usage("{} {} is the {} that is read; give another name", output.flag, output.path,
                  read.what);
    }
  }
  check_outputs(model, outputs);
}

void EvalOptions::check(std::span<const TaskItem> items) const {
  if (!by_family) return;
  const std::size_t asked = limit == 0 ? items.size() : std::min(limit, items.size());
  for (const TaskItem& item : items.first(asked)) {
    if (!item.family.empty()) return;
  }
  throw_usage("--by-family has no effect: none of the {} problems of {} has a \"family\"", asked,
              task);
}

std::vector<ArmSpec> EvalOptions::arm_specs() const {
  const std::vector<std::string> full = {"full"};
  return parse_arms(compare.empty() ? full : compare, kv_type);
}

std::vector<ArmOptions> EvalOptions::arms(const Model& opened) const {
  ArmOptions arm;
  arm.session.threads = machine.threads();
  arm.session.context = context;
  if (!kv_memory.empty()) arm.session.kv_memory = parse_size(kv_memory, "--kv-memory");
  arm.generate.max_tokens = max_tokens;
  arm.generate.sampling = sampling.resolve(opened.default_sampling());
  arm.generate.stop_on_loop = true;
  arm.instruction = instruction;
  arm.batch = batch;
  arm.reasoning = reasoning_mode(reasoning);
  arm.raw = raw;
  std::vector<ArmOptions> out;
  for (const ArmSpec& spec : arm_specs()) {
    check_row_type(kv_dtype(spec.kv.type), opened.info().head_dim);
    arm.name = spec.name;
    arm.session.kv = spec.kv;
    out.push_back(arm);
  }
  return out;
}

ModelOptions EvalOptions::model_options() const {
  ModelOptions out;
  out.quantize = quantize;
  out.threads = machine.threads();
  return out;
}

Json cache_json(const KvOptions& options, const Json& full_heads) {
  Json out = {{"policy", options.policy_name()}, {"options", kv_options_json(options)}};
  if (!full_heads.is_null()) out["full_heads"] = full_heads;
  return out;
}

}  // namespace laconic::cli
