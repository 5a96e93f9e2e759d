// SPDX-License-Identifier: Apache-2.0
#include "cli/run_options.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/error.h"
#include "cli/loading_flags.h"
#include "cli/numbers.h"
#include "cli/output_paths.h"
#include "cli/values.h"
#include "io/head_table.h"
#include "kv/head_set.h"

namespace laconic::cli {
namespace {

void declare_prompt(CLI::App& app, RunOptions& o) {
  constexpr const char* kGroup = "Prompt";
  app.add_option("-m,--model", o.model, "Hugging Face directory or GGUF file")
      ->required()
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("-p,--prompt", o.prompt, "what to answer")->type_name("TEXT")->group(kGroup);
  app.add_option("-f,--file", o.file, "the prompt from a file; -: standard input")
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("--ids", o.ids, "the prompt as token ids: 1,2,3")->type_name("IDS")->group(kGroup);
  app.add_option("--system-prompt", o.system, "system message (also -sys)")
      ->type_name("TEXT")
      ->group(kGroup);
  auto* talk =
      app.add_flag("--conversation", o.conversation, "keep talking, with history (also -cnv)");
  talk->group(kGroup);
  app.add_flag("--single-turn", o.single_turn, "one answer: the default (also -st)")
      ->excludes(talk)
      ->group(kGroup);
  app.add_flag("--raw,--no-chat,--no-conversation", o.raw,
               "plain text: no chat template (also -no-cnv)")
      ->group(kGroup);
  app.add_option("--chat-template-file", o.template_file, "Jinja template instead of the model's")
      ->type_name("PATH")
      ->group(kGroup);
}

void declare_answer(CLI::App& app, RunOptions& o) {
  constexpr const char* kGroup = "Answer";
  add_limit(app, "-n,--n-predict,--max-tokens", o.max_tokens,
            "most new tokens; -1: to the end (-1)")
      ->group(kGroup);
  app.add_flag("--ignore-eos", o.ignore_eos, "go on after an end token")->group(kGroup);
  app.add_option("--stop", o.stop, "text that ends the answer; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--stop-token", o.stop_tokens, "id that ends the answer; may be repeated")
      ->type_name("ID")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_flag("--stop-on-loop", o.stop_on_loop, "end when the answer repeats itself")
      ->group(kGroup);
  app.add_option("--reasoning", o.reasoning, "think first: on, off or auto (auto; also -rea)")
      ->check(CLI::IsMember({"on", "off", "auto"}))
      ->type_name("MODE")
      ->group(kGroup);
  add_limit(app, "--reasoning-budget", o.reasoning_budget, "most tokens of thinking; -1: any (-1)")
      ->group(kGroup);
  app.add_option("--force-ids", o.force_ids, "teacher forcing: the answer's ids")
      ->type_name("IDS")
      ->group(kGroup);
}

void declare_output(CLI::App& app, RunOptions& o) {
  constexpr const char* kGroup = "Output";
  app.add_flag("--json", o.json, "one JSON object instead of a stream")->group(kGroup);
  app.add_option("--logits-out", o.logits_out, "logits [1 + generated, vocab] as safetensors")
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("--kv-trace", o.kv_trace, "kept positions of every compression as JSON lines")
      ->type_name("PATH")
      ->group(kGroup);
  app.add_option("--session", o.session, "keep text and cache in a file; where it exists, go on")
      ->type_name("PATH")
      ->group(kGroup);
}

void declare_loading(CLI::App& app, RunOptions& o) {
  add_context(app, o.context);
  add_count(app, "-b,--batch-size", o.batch_tokens, 1, kMostCount, "prompt tokens per step (512)")
      ->group("Machine");
  add_quantize(app, o.quantize);
  add_kv_memory(app, o.kv_memory);
}

}  // namespace

void RunOptions::declare(CLI::App& app) {
  declare_prompt(app, *this);
  declare_answer(app, *this);
  sampling.declare(app);
  kv.declare(app);
  declare_output(app, *this);
  machine.declare(app);
  declare_loading(app, *this);
}

void RunOptions::check() const {
  const int prompts = (prompt ? 1 : 0) + (file ? 1 : 0) + (ids ? 1 : 0);
  if (prompts > 1) throw_usage("-p, -f and --ids are three ways to give one prompt; choose one");
  std::error_code unknown;  // why it cannot be said, check_outputs() says
  const bool goes_on = !session.empty() && std::filesystem::exists(session, unknown);
  if (prompts == 0 && !conversation && !goes_on) {
    throw_usage("a prompt is missing: give -p TEXT, -f FILE or --ids LIST, or talk with -cnv");
  }
  if (conversation) {
    const char* single = ids                   ? "--ids"
                         : raw                 ? "--raw"
                         : json                ? "--json"
                         : force_ids           ? "--force-ids"
                         : !logits_out.empty() ? "--logits-out"
                         : !kv_trace.empty()   ? "--kv-trace"
                         : !session.empty()    ? "--session"
                                               : nullptr;
    if (single) throw_usage("{} is for a single answer and has no place in a conversation", single);
  }
  if (ids || raw) {
    const char* idle = system                   ? "--system-prompt"
                       : !template_file.empty() ? "--chat-template-file"
                       : reasoning != "auto"    ? "--reasoning"
                       : ids && raw             ? "--raw"
                                                : nullptr;
    if (idle) throw_usage("{} has no effect with {}", idle, ids ? "--ids" : "--raw");
  }
  if (prompts == 0 && goes_on) {
    const char* idle = raw ? "--raw" : !template_file.empty() ? "--chat-template-file" : nullptr;
    if (idle) throw_usage("{} has no effect where an answer goes on without a prompt", idle);
  }
  if (reasoning == "off" && reasoning_budget != -1) {
    throw_usage("--reasoning-budget has no effect with --reasoning off");
  }
  for (const std::string& text : stop) {
    if (text.empty()) throw_usage("--stop is empty; give the text that ends an answer");
  }
  stop_token_ids();
  if (ids) parse_ids(*ids, "--ids");
  if (force_ids && parse_ids(*force_ids, "--force-ids").empty()) {
    throw_usage("--force-ids is empty; give the ids that the answer shall have");
  }
  if (force_ids) {
    const char* idle = max_tokens != -1         ? "-n"
                       : !stop.empty()          ? "--stop"
                       : !stop_tokens.empty()   ? "--stop-token"
                       : stop_on_loop           ? "--stop-on-loop"
                       : ignore_eos             ? "--ignore-eos"
                       : reasoning_budget != -1 ? "--reasoning-budget"
                                                : sampling.first_given();
    if (idle) throw_usage("{} has no effect with --force-ids, which is the whole answer", idle);
  }
  std::vector<OutputPath> outputs;
  if (!logits_out.empty()) outputs.push_back({"--logits-out", logits_out});
  if (!kv_trace.empty()) outputs.push_back({"--kv-trace", kv_trace, OutputKind::kStream});
  if (!session.empty()) outputs.push_back({"--session", session});
  check_outputs(model, outputs);
  const KvOptions cache = kv.options();
  if (!cache.heads.empty() && !random_heads_seed(cache.heads)) {
    refuse_overwriting(outputs, head_table_file(cache.heads), "the table of heads");
  }
  if (!kv_trace.empty() && cache.policy == KvPolicy::kFull) {
    throw_usage("--kv-trace has nothing to write with --kv-policy full, which chooses no rows");
  }
  sampling.check();
  session_options();
}

std::vector<std::int32_t> RunOptions::stop_token_ids() const {
  std::vector<std::int32_t> out;
  for (const std::string& text : stop_tokens) {
    const std::int64_t most = std::numeric_limits<std::int32_t>::max();
    out.push_back(static_cast<std::int32_t>(parse_integer(text, "--stop-token", 0, most)));
  }
  return out;
}

ModelOptions RunOptions::model_options() const {
  ModelOptions out;
  out.quantize = quantize;
  out.threads = machine.threads();
  if (!template_file.empty()) {
    out.chat_template = read_text(template_file);
    if (out.chat_template.empty()) throw_input("--chat-template-file {} is empty", template_file);
  }
  return out;
}

SessionOptions RunOptions::session_options() const {
  SessionOptions out;
  out.threads = machine.threads();
  out.batch_tokens = batch_tokens;
  out.context = context;
  if (!kv_memory.empty()) out.kv_memory = parse_size(kv_memory, "--kv-memory");
  out.kv = kv.options();
  return out;
}

GenerateOptions RunOptions::generate_options(const Model& opened) const {
  GenerateOptions out;
  out.sampling = sampling.resolve(opened.default_sampling());
  out.stop = stop;
  out.stop_tokens = stop_token_ids();
  for (const std::int32_t id : out.stop_tokens) {
    if (static_cast<std::size_t>(id) < opened.info().vocab) continue;
    throw_usage("--stop-token {} is not in the vocabulary: 0 to {} are", id,
                opened.info().vocab - 1);
  }
  out.ignore_eos = ignore_eos;
  out.stop_on_loop = stop_on_loop;
  out.reasoning_budget = reasoning_budget;
  if (force_ids) out.force_ids = parse_ids(*force_ids, "--force-ids");
  out.max_tokens = max_tokens;
  out.keep_logits = !logits_out.empty();
  return out;
}

}  // namespace laconic::cli
