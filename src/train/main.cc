// SPDX-License-Identifier: Apache-2.0
// The `laconic-train` tool with the rest of laconic around it: it makes its own problems and asks
// the engine how well they are solved.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "train/held_out.h"
#include "train/problem_source.h"
#include "train/text_sources.h"
#include "train/tool.h"

namespace laconic::train {
namespace {

class ShardsCommand : public TrainCommand {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("shards", "Write a recipe's texts as one token shard");
    app->add_option("RECIPE", recipe_, "The recipe, a JSON file with \"source\": \"problems\"")
        ->required();
    app->add_option("-n,--n", texts_, "Number of texts")
        ->required()
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32));
    app->add_option("-o,--out", out_, "File to write")->required();
    return app;
  }

  int run() override {
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
  std::string recipe_, out_;
  std::uint64_t texts_ = 0;
};

}  // namespace
}  // namespace laconic::train

int main(int argc, char** argv) {
  using namespace laconic::train;
  std::vector<std::unique_ptr<TrainCommand>> commands;
  commands.push_back(make_pretrain_command({make_source, evaluate_held_out}));
  commands.push_back(std::make_unique<ShardsCommand>());
  return run_tool(argc, argv, commands);
}
