// SPDX-License-Identifier: Apache-2.0
// `laconic make-model`: random weights at a real model's shape, for speed and memory work without
// downloads.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/conversion.h"
#include "cli/numbers.h"
#include "cli/output_paths.h"
#include "cli/values.h"

namespace laconic::cli {
namespace {

class MakeModelCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app =
        tool.add_subcommand("make-model", "Random weights at the shape of a real model");
    app->add_option("--like", like_, "which model's shape; --list names them")->type_name("NAME");
    app->add_option("--out", out_, "directory, or a file that ends in .gguf")->type_name("PATH");
    app->add_option("--type", type_,
                    "f32, f16 or bf16; in GGUF also q8_0, q4_0, q4_k, q5_k, q6_k or q4_k_m (bf16)")
        ->type_name("TYPE");
    app->add_option("--tokenizer", tokenizer_, "directory with the vocabulary; else one is made")
        ->type_name("DIR");
    add_count(*app, "--seed", seed_, 0, std::numeric_limits<std::uint64_t>::max(),
              "same seed, same bytes (0)");
    app->add_flag("--list", list_, "the known names");
    return app;
  }

  int run() override {
    if (list_) {
      for (const std::string& name : known_models()) fmt::print("{}\n", name);
      return 0;
    }
    if (like_.empty()) throw_usage("--like NAME is missing; --list names the known models");
    if (out_.empty()) throw_usage("--out PATH is missing: a directory, or a file ending in .gguf");
    const ModelConfig config = known_model(like_);
    const TypeMix mix = parse_made_type(type_);
    const bool gguf = std::filesystem::path(out_).extension() == ".gguf";
    if (!gguf && block_elements(mix.most()) > 1) {
      throw_usage("--type {} exists in GGUF only; give --out a name that ends in .gguf", type_);
    }
    if (gguf) {
      require_writable({"--out", out_});
    } else {
      require_parent_folder(out_, "--out");
    }
    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    print_report(
        make_random_model(config, out_, mix, tokenizer_, seed_, conversion_progress(watch)), out_);
    return 0;
  }

 private:
  std::string like_, out_, type_ = "bf16", tokenizer_;
  std::uint64_t seed_ = 0;
  bool list_ = false;
};

}  // namespace

std::unique_ptr<Command> make_make_model_command() { return std::make_unique<MakeModelCommand>(); }

}  // namespace laconic::cli
