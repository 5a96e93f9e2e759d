// SPDX-License-Identifier: Apache-2.0
// The subcommands of the `laconic` tool. Each declares its options, checks what was typed before a
// model is opened, and calls the library; a wrong option or file is a laconic::Error that main()
// turns into one sentence and an exit code.
#pragma once

#include <memory>

namespace CLI {
class App;
}

namespace laconic::cli {

class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  // Adds the subcommand and its options to `tool`; the result is the subcommand. The options write
  // into this object, which must outlive the parse.
  virtual CLI::App* declare(CLI::App& tool) = 0;

  // Does the work after a successful parse; the result is the exit code.
  virtual int run() = 0;
};

std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_tokenize_command();
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_make_model_command();
std::unique_ptr<Command> make_quantize_command();
std::unique_ptr<Command> make_kv_command();
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_data_command();
std::unique_ptr<Command> make_train_command();

}  // namespace laconic::cli
