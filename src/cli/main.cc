// SPDX-License-Identifier: Apache-2.0
// The `laconic` tool: picks the subcommand, and turns every failure into one sentence on stderr and
// an exit code: 2 for what was typed wrong, 1 for a file, model or machine that cannot do it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/version.h"
#include "laconic/error.h"

namespace laconic::cli {
namespace {

constexpr int kFailed = 1, kUsage = 2;

// llama.cpp spells some long options with one dash, which POSIX reads as a bundle of letters.
std::string long_spelling(std::string_view argument) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kSpellings = {{
      {"-sys", "--system-prompt"},
      {"-cnv", "--conversation"},
      {"-rea", "--reasoning"},
  }};
  for (const auto& [short_form, long_form] : kSpellings) {
    if (argument == short_form) return std::string(long_form);
  }
  return std::string(argument);
}

int complain(int code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  fmt::print(stderr, "laconic: {}\n", message);
  return code;
}

int run_tool(int argc, char** argv) {
  CLI::App tool{"laconic: reasoning language models that keep less and say less", "laconic"};
  tool.set_version_flag("--version", "laconic " + std::string(kVersion));

  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
  for (auto make :
       {make_run_command, make_bench_command, make_tokenize_command, make_inspect_command,
        make_make_model_command, make_quantize_command, make_kv_command}) {
    std::unique_ptr<Command> command = make();
    CLI::App* app = command->declare(tool);
    commands.emplace_back(app, std::move(command));
  }

  // CLI11 takes the arguments from the back.
  std::vector<std::string> arguments;
  for (int i = argc - 1; i >= 1; --i) arguments.push_back(long_spelling(argv[i]));
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
    if (app->parsed()) return command->run();
  }
  return complain(kUsage, "a subcommand is missing; laconic --help lists them");
}

}  // namespace
}  // namespace laconic::cli

int main(int argc, char** argv) {
  using laconic::cli::complain;
  try {
    return laconic::cli::run_tool(argc, argv);
  } catch (const laconic::Error& error) {
    const bool usage = error.kind() == laconic::ErrorKind::kUsage;
    return complain(usage ? laconic::cli::kUsage : laconic::cli::kFailed, error.what());
  } catch (const std::bad_alloc&) {
    return complain(laconic::cli::kFailed, "the machine has too little free memory for this");
  } catch (const std::exception& error) {
    return complain(laconic::cli::kFailed, error.what());
  }
}
