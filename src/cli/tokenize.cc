// SPDX-License-Identifier: Apache-2.0
// `laconic tokenize`: text to ids as a JSON list, or ids back to text. Works on models and on
// directories or GGUF files that hold a tokenizer only.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/command.h"
#include "cli/run_output.h"
#include "cli/values.h"
#include "io/gguf.h"
#include "model/convert.h"
#include "text/tokenizer.h"

namespace laconic::cli {
namespace {

Tokenizer open_tokenizer(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw_input("{} does not exist", path.string());
  if (std::filesystem::is_directory(path, ignored)) return Tokenizer::from_directory(path);
  return Tokenizer(tokenizer_from_gguf(GgufFile(path).metadata(), path.string()));
}

class TokenizeCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("tokenize", "Text to token ids, or back");
    app->add_option("model", model_, "model, or a directory or GGUF file with a tokenizer")
        ->required()
        ->type_name("PATH");
    app->add_option("-p,--prompt", text_, "the text, or with --detokenize the ids")
        ->type_name("TEXT");
    app->add_option("-f,--file", file_, "the same from a file; -: standard input")
        ->type_name("PATH");
    app->add_option("--ids", ids_, "ids for --detokenize: 1,2,3")->type_name("IDS");
    app->add_flag("--detokenize", detokenize_, "ids to text; the input is a JSON list of ids");
    app->add_flag("--no-special", no_special_,
                  "add no begin or end token; with --detokenize leave control tokens out");
    return app;
  }

  int run() override {
    if ((text_ ? 1 : 0) + (file_ ? 1 : 0) + (ids_ ? 1 : 0) != 1) {
      throw_usage("give the input once: -p TEXT or -f FILE, or --ids LIST with --detokenize");
    }
    if (ids_ && !detokenize_) throw_usage("--ids is for --detokenize; text comes with -p or -f");
    std::vector<TokenId> ids;
    if (ids_) ids = parse_ids(*ids_, "--ids");
    if (detokenize_ && text_) ids = parse_ids(*text_, "-p");
    const Tokenizer tokenizer = open_tokenizer(model_);
    if (detokenize_) {
      if (file_) ids = parse_ids(read_text(*file_), "-f");
      const std::string text = tokenizer.decode(ids, no_special_);
      std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
      EncodeOptions options;
      options.add_special = !no_special_;
      const std::string text = text_ ? *text_ : read_prompt_text(*file_);
      fmt::print("{}\n", dump_json(tokenizer.encode(text, options)));
    }
    return 0;
  }

 private:
  std::string model_;
  std::optional<std::string> text_, file_, ids_;
  bool detokenize_ = false, no_special_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize_command() { return std::make_unique<TokenizeCommand>(); }

}  // namespace laconic::cli
