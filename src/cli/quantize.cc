// SPDX-License-Identifier: Apache-2.0
// `laconic quantize IN OUT.gguf --type T`: any checkpoint to a GGUF file.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/conversion.h"
#include "cli/output_paths.h"

namespace laconic::cli {
namespace {

class QuantizeCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("quantize", "Convert a model to a GGUF file");
    app->add_option("in", in_, "Hugging Face directory or GGUF file")
        ->required()
        ->type_name("PATH");
    app->add_option("out", out_, "file to write")->required()->type_name("OUT.gguf");
    app->add_option("--type", type_, "f32, f16, bf16, q8_0 or q4_0")->required()->type_name("TYPE");
    return app;
  }

  int run() override {
    const DType type = parse_weight_type(type_);
    if (std::filesystem::path(out_).extension() != ".gguf") {
      throw_usage("{} must end in .gguf: that is the format that is written", out_);
    }
    require_writable({"OUT", out_});
    std::error_code ignored;
    if (std::filesystem::equivalent(in_, out_, ignored)) {
      throw_usage("{} cannot be read and written at once; give another name for the result", out_);
    }
    const Checkpoint in = Checkpoint::open(in_);
    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    print_report(write_gguf_checkpoint(in, out_, type, conversion_progress(watch)), out_);
    return 0;
  }

 private:
  std::string in_, out_, type_;
};

}  // namespace

std::unique_ptr<Command> make_quantize_command() { return std::make_unique<QuantizeCommand>(); }

}  // namespace laconic::cli
