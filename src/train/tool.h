// SPDX-License-Identifier: Apache-2.0
// The command line of laconic-train, whatever is built into it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "train/held_out.h"
#include "train/recipe.h"
#include "train/stream.h"

namespace laconic::train {

class TrainCommand {
 public:
  virtual ~TrainCommand() = default;
  virtual CLI::App* declare(CLI::App& tool) = 0;  // adds its subcommand and returns it
  virtual int run() = 0;                          // the exit code
};

// What training takes from the rest of laconic.
struct Surroundings {
  std::function<std::unique_ptr<TextSource>(const Recipe&)> make_source;
  // As evaluate_held_out(); empty: none, and recipes that ask for it are told so.
  std::function<HeldOut(const std::filesystem::path&, const Recipe&, std::size_t threads,
                        const std::function<void()>& on_step)>
      evaluate;
};

std::unique_ptr<TrainCommand> make_pretrain_command(Surroundings surroundings);

// Parses and runs. Every failure is one sentence on stderr and an exit code: 2 for what was typed
// wrong, 1 for a file or machine that cannot do it.
int run_tool(int argc, char** argv, const std::vector<std::unique_ptr<TrainCommand>>& commands);

}  // namespace laconic::train
