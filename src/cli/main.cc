// SPDX-License-Identifier: Apache-2.0
// The `laconic` tool: picks the subcommand, and turns every failure into one sentence on stderr and
// an exit code: 2 for what was typed wrong, 1 for a file, model or machine that cannot do it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/standard_streams.h"
#include "cli/version.h"
#include "laconic/error.h"

namespace laconic::cli {
namespace {

constexpr int kFailed = 1, kUsage = 2;

int complain(int code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  say("laconic: " + message + "\n");
  return code;
}

int run_tool(int argc, char** argv) {
  CLI::App tool{"laconic: reasoning language models that keep less and say less", "laconic"};
  tool.set_version_flag("--version", "laconic " + std::string(kVersion));

  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  for (auto make : {make_run_command, make_bench_command, make_tokenize_command,
                    make_inspect_command, make_make_model_command, make_quantize_command,
                    make_kv_command, make_data_command, make_eval_command, make_train_command}) {
    std::unique_ptr<Command> command = make();
    CLI::App* app = command->declare(tool);
    commands.emplace_back(app, std::move(command));
  }

  std::vector<std::string> arguments = prepare_arguments(tool, argc, argv);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    tool.parse(std::move(arguments));
  } catch (const CLI::Success& success) {
    return tool.exit(success);  // help or version, on stdout
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string text = error.what();
    const auto twice = text.find(": At Most 1 required");
    return complain(kUsage, twice == std::string::npos
                                ? text
                                : text.substr(0, twice) + " is given more than once");
  } catch (const CLI::ParseError& error) {
    return complain(kUsage, error.what());
  }
  for (const auto& [app, command] : commands) {
    if (!app->parsed()) continue;
    refuse_empty_words(*app);
    return command->run();
  }
  return complain(kUsage, "a subcommand is missing; laconic --help lists them");
}

}  // namespace
}  // namespace laconic::cli

int main(int argc, char** argv) {
  using laconic::cli::complain;
  laconic::cli::open_standard_streams();
  try {
    const int code = laconic::cli::run_tool(argc, argv);
    laconic::cli::check_stdout();
    return code;
  } catch (const laconic::cli::Interrupted& interrupted) {
    return complain(interrupted.exit_code(), "interrupted, and nothing was written");
  } catch (const laconic::Error& error) {
    const bool usage = error.kind() == laconic::ErrorKind::kUsage;
    return complain(usage ? laconic::cli::kUsage : laconic::cli::kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(laconic::cli::kFailed, "the machine has too little free memory for this");
  } catch (const std::exception& error) {
    return complain(laconic::cli::kFailed, error.what());
  }
}
