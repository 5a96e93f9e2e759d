// SPDX-License-Identifier: Apache-2.0
// `laconic kv replay`: a policy on tensors from a file, to check or study it without a model.
// Beside it `laconic kv heads`, which is declared here too.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "cli/kv_flags.h"
#include "cli/kv_heads.h"
#include "cli/numbers.h"
#include "cli/run_output.h"
#include "io/safetensors.h"
#include "kernels/elementwise.h"
#include "kernels/quantize.h"
#include "kv/replay.h"

namespace laconic::cli {
namespace {

// A rank-3 tensor as f32.
struct Cube {
  std::vector<std::size_t> shape = {0, 0, 0};  // 3 dimensions
  std::vector<float> values;
};

Cube load_cube(const SafetensorsFile& file, const char* name, const char* dimensions) {
  const TensorView tensor = file.tensor(name);
  if (tensor.shape.size() != 3) {
    throw_input("{}: \"{}\" has {} dimensions; it must be {}", file.path().string(), name,
                tensor.shape.size(), dimensions);
  }
  Cube cube;
  cube.shape = tensor.shape;
  cube.values.resize(tensor.bytes.size() / block_bytes(tensor.type));
  if (!cube.values.empty()) {
    dequantize(tensor.type, tensor.bytes.data(), cube.values.size(), cube.values.data());
  }
  return cube;
}

// What a file holds; queries and attention may be absent.
struct ReplayTensors {
  explicit ReplayTensors(const std::string& path);
  ReplayInput input() const;

  Cube keys, queries, attention;
  std::size_t heads = 0;
};

ReplayTensors::ReplayTensors(const std::string& path) {
  const SafetensorsFile file(path);
  keys = load_cube(file, "keys", "[kv_heads, rows, head_dim]");
  const bool asks = file.contains("queries"), attends = file.contains("attention");
  if (asks) {
    queries = load_cube(file, "queries", "[heads, window, head_dim]");
    heads = queries.shape[0];
    if (keys.shape[2] != queries.shape[2]) {
      throw_input("{}: keys have head_dim {} and queries {}; they must be equal", path,
                  keys.shape[2], queries.shape[2]);
    }
  }
  if (!attends) return;
  attention = load_cube(file, "attention", "[heads, steps, rows]");
  if (asks && attention.shape[0] != heads) {
    throw_input("{}: queries have {} heads and attention {}; they must be equal", path, heads,
                attention.shape[0]);
  }
  heads = attention.shape[0];
  if (keys.shape[1] != attention.shape[2]) {
    throw_input(
        "{}: keys have {} rows and attention {}; they must be equal, with 0 for rows that a step "
        "did not see yet",
        path, keys.shape[1], attention.shape[2]);
  }
}

ReplayInput ReplayTensors::input() const {
  ReplayInput input;
  input.keys = keys.values;
  input.queries = queries.values;
  input.attention = attention.values;
  input.kv_heads = keys.shape[0];
  input.rows = keys.shape[1];
  input.head_dim = keys.shape[2];
  input.heads = heads;
  input.window = queries.shape[1];
  input.steps = attention.shape[1];
  return input;
}

class KvReplay {
 public:
  void declare(CLI::App& kv) {
    CLI::App* replay = kv.add_subcommand("replay", "What a policy keeps of given keys");
    replay->add_option("--tensors", tensors_, "keys, and queries or attention, as safetensors")
        ->required()
        ->type_name("F.safetensors");
    add_count(*replay, "--prompt-rows", prompt_rows_, 0, kMostCount,
              "rows of the prompt, which come first (0)");
    add_count(*replay, "--round", round_, 0, kMostCount, "compressions already done (0)");
    kv_.declare(*replay, KvFlagSet::kReplay);
    interval_ = replay->get_option("--kv-interval");
  }

  int run() const {
    KvOptions options = kv_.options();
    options.type = KvType::kF32;
    refuse_idle(options);
    const ReplayTensors tensors(tensors_);
    ReplayInput input = tensors.input();
    input.prompt_rows = prompt_rows_.value_or(0);
    input.round = round_.value_or(0);
    const ReplayResult result = replay_policy(input, options);
    for (const std::vector<float>& list : result.scores) {
      if (all_finite(list.data(), list.size())) continue;
      throw_input("{}: a score is not finite; the keys or queries are too large", tensors_);
    }
    const Json document = {{"policy", options.policy_name()},
                           {"options", kv_options_json(options)},
                           {"kept", result.kept},
                           {"scores", result.scores},
                           {"candidate_start", result.candidate_start}};
    fmt::print("{}\n", dump_json(document));
    return 0;
  }

 private:
  // What would change nothing.
  void refuse_idle(const KvOptions& options) const {
    const char* given = prompt_rows_ ? "--prompt-rows" : round_ ? "--round" : nullptr;
    if (given && !options.evicts()) {
      throw_usage("{} has no effect with --policy full, which keeps every row", given);
    }
    if (!options.by_budget()) return;
    const bool reference =
        options.policy == KvPolicy::kRpc && options.selector == KvSelector::kReference;
    if (!interval_->empty() && !reference) {
      throw_usage(
          "--kv-interval {} has no effect here with --kv-budget {}: it says when the budget's rows "
          "are chosen, not which",
          options.interval, options.budget);
    }
    const bool counts_rounds = options.policy == KvPolicy::kRandom || reference;
    if (round_ && !counts_rounds) {
      throw_usage("--round {} has no effect with --kv-budget {}: as many rows stay every time",
                  *round_, options.budget);
    }
    if (prompt_rows_ && !options.protect_prompt) {
      throw_usage(
          "--prompt-rows {} has no effect with --kv-budget {} and --no-kv-protect-prompt: the "
          "prompt is rows like the others",
          *prompt_rows_, options.budget);
    }
  }

  std::string tensors_;
  std::optional<std::size_t> prompt_rows_, round_;
  CLI::Option* interval_ = nullptr;
  KvFlags kv_;
};

class KvCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("kv", "Work with cache policies and head tables alone");
    app->require_subcommand(1);
    replay_.declare(*app);
    heads_.declare(*app);
    return app;
  }

  int run() override { return heads_.chosen() ? heads_.run() : replay_.run(); }

 private:
  KvReplay replay_;
  KvHeads heads_;
};

}  // namespace

std::unique_ptr<Command> make_kv_command() { return std::make_unique<KvCommand>(); }

}  // namespace laconic::cli
