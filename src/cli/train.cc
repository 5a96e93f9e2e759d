// SPDX-License-Identifier: Apache-2.0
// `laconic train`: starts laconic-train, which lies beside this program where it was built. It is a
// program of its own because it needs libtorch, which must weigh on nothing else.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "cli/command.h"

namespace laconic::cli {
namespace {

namespace fs = std::filesystem;

fs::path trainer_path() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) throw_resource("laconic train: where this program lies cannot be found out");
  const fs::path trainer = self.parent_path() / "laconic-train";
  if (!fs::exists(trainer)) {
    throw_resource(
        "laconic train needs laconic-train, and there is none beside {}; install "
        "libtorch (Debian: libtorch-dev), configure with -DLACONIC_TRAIN=ON and build",
        self.string());
  }
  return trainer;
}

class TrainCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    app_ =
        tool.add_subcommand("train", "Train models (starts laconic-train, which needs libtorch)");
    // What follows is laconic-train's own: its flags and its --help.
    app_->prefix_command();
    app_->set_help_flag();
    return app_;
  }

  int run() override {
    const std::string trainer = trainer_path().string();
    std::vector<std::string> words = app_->remaining();
    words.insert(words.begin(), "laconic-train");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(trainer.c_str(), argv.data());
    throw_resource("{} cannot be started: {}", trainer, std::strerror(errno));
  }

 private:
  CLI::App* app_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> make_train_command() { return std::make_unique<TrainCommand>(); }

}  // namespace laconic::cli
