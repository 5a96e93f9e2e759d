// SPDX-License-Identifier: Apache-2.0
// The `laconic-train` tool: subcommands pretrain and shards. Every failure is one sentence on
// stderr and an exit code: 2 for what was typed wrong, 1 for a file or machine that cannot do it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "base/threads.h"
#include "laconic/error.h"
#include "train/held_out.h"
#include "train/pretrain.h"
#include "train/problem_source.h"
#include "train/progress_line.h"
#include "train/recipe.h"
#include "train/stop_signals.h"
#include "train/tensor_memory.h"
#include "train/text_sources.h"

namespace laconic::train {
namespace {

constexpr int kFailed = 1, kUsage = 2;

int complain(int code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  fmt::print(stderr, "laconic-train: {}\n", message);
  return code;
}

// Before the first parallel region: the threads of the team inherit the mode.
void set_up_threads(std::size_t threads) {
  at::globalContext().setFlushDenormal(true);
  at::set_num_threads(static_cast<int>(threads));
}

torch::Device choose_device(const std::string& name) {
  const bool cuda = torch::cuda::is_available();
  if (name == "cuda" && !cuda) {
    throw_usage("--device cuda cannot be had: this libtorch sees no CUDA device");
  }
  return name != "cpu" && cuda ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
}

class PretrainCommand {
 public:
  void declare(CLI::App& tool) {
    app_ = tool.add_subcommand("pretrain", "Train a model from its recipe, or go on with a run");
    app_->add_option("RECIPE", recipe_, "The recipe, a JSON file")->required();
    app_->add_option("--out", options_.out, "Folder of the run: checkpoints, log, model")
        ->required();
    app_->add_option("--threads", threads_, "Threads (default: one per core)")
        ->check(CLI::Range(1, 1024));
    app_->add_option("--device", device_, "auto, cpu or cuda")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
    app_->add_option("--stop-after-steps", stop_after_, "Write a checkpoint after so many and end")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 40));
    app_->add_option("--init", options_.init, "Begin from the weights of this Hugging Face folder");
  }
  bool chosen() const { return app_->parsed(); }

  int run() {
    const std::size_t threads = threads_ == 0 ? available_cores() : threads_;
    set_up_threads(threads);
    options_.device = choose_device(device_);
    if (app_->count("--stop-after-steps") > 0) options_.stop_after_steps = stop_after_;
    const Recipe recipe = load_recipe(recipe_);
    const auto source = make_source(recipe);
    const StopSignals signals;
    ProgressLine line;
    PretrainHooks hooks;
    hooks.say = [&](const std::string& sentence) { line.say(sentence); };
    hooks.progress = [&](const PretrainProgress& progress) { line.show(progress); };
    hooks.stop = [&] { return signals.requested(); };
    hooks.evaluate = [&](const std::filesystem::path& model, const std::function<void()>& on_step) {
      return evaluate_held_out(model, recipe, threads, on_step);
    };
    const PretrainEnd end = pretrain(recipe, *source, options_, hooks);
    const std::string out = options_.out.string();
    line.say(end == PretrainEnd::kFinished
                 ? fmt::format("finished; the model is {}/model", out)
                 : fmt::format("stopped with a checkpoint in {}; the same command goes on", out));
    return 0;
  }

 private:
  CLI::App* app_ = nullptr;
  std::string recipe_, device_ = "auto";
  std::size_t threads_ = 0;
  std::uint64_t stop_after_ = 0;
  PretrainOptions options_;
};

class ShardsCommand {
 public:
  void declare(CLI::App& tool) {
    app_ = tool.add_subcommand("shards", "Write a recipe's texts as one token shard");
    app_->add_option("RECIPE", recipe_, "The recipe, a JSON file with \"source\": \"problems\"")
        ->required();
    app_->add_option("-n,--n", texts_, "Number of texts")
        ->required()
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32));
    app_->add_option("-o,--out", out_, "File to write")->required();
  }
  bool chosen() const { return app_->parsed(); }

  int run() {
    const Recipe recipe = load_recipe(recipe_);
    if (recipe.data.kind != DataKind::kProblems) {
      throw_usage("{} reads shards: \"data.source\" must be \"problems\" to make some", recipe_);
    }
    const ProblemSource source(recipe.data, recipe.tokenizer);
    std::vector<ShardText> texts;
    std::uint64_t tokens = 0;
    for (std::uint64_t i = 0; i < texts_; ++i) {
      TrainingText text = source.text(i, tokens);
      tokens += text.ids.size();
      texts.push_back({std::move(text.ids), text.loss_start});
    }
    write_token_shard(out_, source.vocabulary(), texts);
    fmt::print("{} texts, {} tokens in {}\n", texts_, tokens, out_);
    return 0;
  }

 private:
  CLI::App* app_ = nullptr;
  std::string recipe_, out_;
  std::uint64_t texts_ = 0;
};

int run_tool(int argc, char** argv) {
  CLI::App tool{"laconic-train: trains the models that laconic runs", "laconic-train"};
  PretrainCommand pretrain_command;
  ShardsCommand shards_command;
  pretrain_command.declare(tool);
  shards_command.declare(tool);
  try {
    tool.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return tool.exit(success);
  } catch (const CLI::ParseError& error) {
    return complain(kUsage, error.what());
  }
  if (pretrain_command.chosen()) return pretrain_command.run();
  if (shards_command.chosen()) return shards_command.run();
  return complain(kUsage, "a subcommand is missing; laconic-train --help lists them");
}

}  // namespace
}  // namespace laconic::train

int main(int argc, char** argv) {
  using laconic::train::complain;
  laconic::train::keep_tensor_memory();
  try {
    return laconic::train::run_tool(argc, argv);
  } catch (const laconic::Error& error) {
    const bool usage = error.kind() == laconic::ErrorKind::kUsage;
    return complain(usage ? laconic::train::kUsage : laconic::train::kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(laconic::train::kFailed, "the machine has too little free memory for this");
  } catch (const std::exception& error) {
    return complain(laconic::train::kFailed, error.what());
  }
}
