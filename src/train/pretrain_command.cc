// SPDX-License-Identifier: Apache-2.0
// `laconic-train pretrain`.
#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "base/threads.h"
#include "train/pretrain.h"
#include "train/progress_line.h"
#include "train/stop_signals.h"
#include "train/tool.h"

namespace laconic::train {
namespace {

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

class PretrainCommand : public TrainCommand {
 public:
  explicit PretrainCommand(Surroundings surroundings) : surroundings_(std::move(surroundings)) {}

  CLI::App* declare(CLI::App& tool) override {
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
    return app_;
  }

  int run() override {
    const std::size_t threads = threads_ == 0 ? available_cores() : threads_;
    set_up_threads(threads);
    options_.device = choose_device(device_);
    if (app_->count("--stop-after-steps") > 0) options_.stop_after_steps = stop_after_;
    const Recipe recipe = load_recipe(recipe_);
    const auto source = surroundings_.make_source(recipe);
    const StopSignals signals;
    ProgressLine line;
    PretrainHooks hooks;
    hooks.say = [&](const std::string& sentence) { line.say(sentence); };
    hooks.progress = [&](const PretrainProgress& progress) { line.show(progress); };
    hooks.stop = [&] { return signals.requested(); };
    if (surroundings_.evaluate) {
      hooks.evaluate = [&](const std::filesystem::path& model,
                           const std::function<void()>& on_step) {
        return surroundings_.evaluate(model, recipe, threads, on_step);
      };
    } else if (recipe.evaluate.every_tokens > 0) {
      line.say("this laconic-train was built alone, without the engine: no held-out accuracy");
    }
    const PretrainEnd end = pretrain(recipe, *source, options_, hooks);
    const std::string out = options_.out.string();
    line.say(end == PretrainEnd::kFinished
                 ? fmt::format("finished; the model is {}/model", out)
                 : fmt::format("stopped with a checkpoint in {}; the same command goes on", out));
    return 0;
  }

 private:
  Surroundings surroundings_;
  CLI::App* app_ = nullptr;
  std::string recipe_, device_ = "auto";
  std::size_t threads_ = 0;
  std::uint64_t stop_after_ = 0;
  PretrainOptions options_;
};

}  // namespace

std::unique_ptr<TrainCommand> make_pretrain_command(Surroundings surroundings) {
  return std::make_unique<PretrainCommand>(std::move(surroundings));
}

}  // namespace laconic::train
