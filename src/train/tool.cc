// SPDX-License-Identifier: Apache-2.0
#include "train/tool.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>

#include "laconic/error.h"
#include "train/error_text.h"
#include "train/tensor_memory.h"

namespace laconic::train {
namespace {

constexpr int kFailed = 1, kUsage = 2;

int complain(int code, const std::string& message) {
  // Where stderr is full, the exit code still speaks.
  std::fputs(fmt::format("laconic-train: {}\n", message).c_str(), stderr);
  return code;
}

int parse_and_run(int argc, char** argv,
                  const std::vector<std::unique_ptr<TrainCommand>>& commands) {
  CLI::App tool{"laconic-train: trains the models that laconic runs", "laconic-train"};
  std::vector<const CLI::App*> declared;
  for (const auto& command : commands) declared.push_back(command->declare(tool));
  try {
    tool.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return tool.exit(success);
  } catch (const CLI::ParseError& error) {
    return complain(kUsage, one_sentence(error.what()));
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (declared[i]->parsed()) return commands[i]->run();
  }
  return complain(kUsage, "a subcommand is missing; laconic-train --help lists them");
}

}  // namespace

int run_tool(int argc, char** argv, const std::vector<std::unique_ptr<TrainCommand>>& commands) {
  keep_tensor_memory();
  try {
    return parse_and_run(argc, argv, commands);
  } catch (const Error& error) {
    return complain(error.kind() == ErrorKind::kUsage ? kUsage : kFailed, error_text(error));
  } catch (const std::exception& error) {
    return complain(kFailed, error_text(error));
  }
}

}  // namespace laconic::train
