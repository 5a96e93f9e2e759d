// SPDX-License-Identifier: Apache-2.0
// `laconic inspect`: what a model is, what memory an answer will take, what this machine offers.
#include "cli/inspect.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/kv_flags.h"
#include "cli/numbers.h"
#include "cli/plan.h"
#include "cli/run_output.h"
#include "cli/values.h"
#include "engine/head_choice.h"

namespace laconic::cli {
namespace {

class InspectCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("inspect", "A model, a memory plan, or this machine");
    auto* model = app->add_option("model", model_, "Hugging Face directory or GGUF file");
    model->type_name("PATH");
    auto* system = app->add_flag("--system", system_, "SIMD target, threads, memory bandwidth");
    system->excludes(model);
    app->add_flag("--json", json_, "JSON instead of text");
    app->add_flag("--tensors", tensors_, "list every tensor")->excludes(system);
    auto* plan = app->add_flag("--plan", plan_, "peak memory by the policy's law");
    plan->excludes(system);
    add_count(*app, "-n,--n-predict", generate_, 0, kMostCount,
              "plan: generated tokens (what the context leaves)")
        ->needs(plan);
    add_count(*app, "-p,--prompt-rows", prompt_, 0, kMostCount,
              "plan: prompt tokens (512, or what the context leaves)")
        ->needs(plan);
    add_count(*app, "-b,--sequences", request_.sequences, 1, kMostCount,
              "plan: sequences at once (1)")
        ->needs(plan);
    app->add_option("--kv-memory", kv_memory_, "plan: most memory for the cache (what is free)")
        ->type_name("SIZE")
        ->needs(plan);
    kv_.declare(*app);
    machine_.declare(*app);
    return app;
  }

  int run() override {
    request_.kv = kv_.options();
    if (!plan_ && kv_.given()) throw_usage("the --kv-* flags of inspect are for --plan");
    if (!kv_memory_.empty()) request_.kv_memory = parse_size(kv_memory_, "--kv-memory");
    if (system_) {
      machine_.apply();
      const Json system = describe_system(machine_);
      if (json_) {
        print_json(system);
      } else {
        print_system(system);
      }
      return 0;
    }
    if (machine_.given()) throw_usage("--threads and --simd of inspect are for --system");
    if (model_.empty()) throw_usage("inspect needs a model, or --system for this machine");
    const Checkpoint checkpoint = Checkpoint::open(model_);
    Json model =
        describe_model(checkpoint, tensors_ ? TensorList::kIncluded : TensorList::kLeftOut);
    if (!plan_) {
      if (json_) {
        print_json(model);
      } else {
        print_model(model);
      }
      return 0;
    }
    request_.weight_bytes = model["weight_bytes"].get<std::size_t>();
    const std::size_t context = checkpoint.config().context;
    // What was typed is taken at its word; defaults make room for it.
    const auto beside = [&](std::size_t typed) { return context - std::min(context, typed); };
    request_.prompt = prompt_.value_or(std::min(request_.prompt, beside(generate_.value_or(0))));
    request_.generate = generate_.value_or(beside(request_.prompt));
    const std::optional<HeadSet> heads = choose_heads(request_.kv, checkpoint.config().kv_shape());
    request_.heads = heads ? &*heads : nullptr;
    const Plan plan = make_plan(checkpoint.config(), request_);
    if (json_) {
      model["plan"] = plan_json(request_, plan);
      print_json(model);
    } else {
      print_model(model);
      print_plan(request_, plan);
    }
    return 0;
  }

 private:
  static void print_json(const Json& document) { fmt::print("{}\n", dump_json(document, 2)); }

  std::string model_, kv_memory_;
  bool system_ = false, json_ = false, tensors_ = false, plan_ = false;
  std::optional<std::size_t> prompt_, generate_;
  PlanRequest request_;
  KvFlags kv_;
  MachineFlags machine_;
};

}  // namespace

std::unique_ptr<Command> make_inspect_command() { return std::make_unique<InspectCommand>(); }

}  // namespace laconic::cli
