// SPDX-License-Identifier: Apache-2.0
// `laconic kv replay`: a policy on tensors from a file, to check or study it without a model.
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
  std::vector<std::size_t> shape;  // 3 dimensions
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

class KvCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("kv", "Work with cache policies alone");
    app->require_subcommand(1);
    CLI::App* replay = app->add_subcommand("replay", "What a policy keeps of given keys");
    replay->add_option("--tensors", tensors_, "keys and queries as safetensors")
        ->required()
        ->type_name("F.safetensors");
    add_count(*replay, "--prompt-rows", prompt_rows_, 0, kMostCount,
              "rows of the prompt, which come first (0)");
    add_count(*replay, "--round", round_, 0, kMostCount, "compressions already done (0)");
    kv_.declare(*replay, KvFlagSet::kReplay);
    return app;
  }

  int run() override {
    KvOptions options = kv_.options();
    options.type = KvType::kF32;
    if (const char* idle = prompt_rows_ ? "--prompt-rows"
                           : round_     ? "--round"
                                        : nullptr;
        idle && options.policy == KvPolicy::kFull) {
      throw_usage("{} has no effect with --policy full, which keeps every row", idle);
    }
    const SafetensorsFile file(tensors_);
    const Cube keys = load_cube(file, "keys", "[kv_heads, rows, head_dim]");
    const Cube queries = load_cube(file, "queries", "[heads, window, head_dim]");
    if (keys.shape[2] != queries.shape[2]) {
      throw_input("{}: keys have head_dim {} and queries {}; they must be equal", tensors_,
                  keys.shape[2], queries.shape[2]);
    }
    ReplayInput input;
    input.keys = keys.values;
    input.queries = queries.values;
    input.kv_heads = keys.shape[0];
    input.rows = keys.shape[1];
    input.head_dim = keys.shape[2];
    input.heads = queries.shape[0];
    input.window = queries.shape[1];
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
  std::string tensors_;
  std::optional<std::size_t> prompt_rows_, round_;
  KvFlags kv_;
};

}  // namespace

std::unique_ptr<Command> make_kv_command() { return std::make_unique<KvCommand>(); }

}  // namespace laconic::cli
