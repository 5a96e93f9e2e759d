// SPDX-License-Identifier: Apache-2.0
// `laconic data`: problems as lines of JSON, and a vocabulary learned from them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/numbers.h"
#include "cli/output_paths.h"
#include "cli/standard_streams.h"
#include "data/bpe_trainer.h"
#include "data/problem.h"
#include "data/vocabulary_folder.h"
#include "text/chat_template.h"
#include "text/hf_tokenizer.h"

namespace laconic::cli {
namespace {

using ForEachProblem = std::function<void(const Problem& problem, std::uint64_t index)>;

// How often a long run looks up: for a signal, for a stdout that nobody takes.
constexpr std::uint64_t kLookUp = 256;

void make_problems(const ProblemOptions& options, std::uint64_t count, const InterruptWatch* watch,
                   const ForEachProblem& visit) {
  for (std::uint64_t index = 0; index < count; ++index) {
    if (watch && index % kLookUp == 0 && watch->requested()) throw Interrupted(watch->signal());
    visit(make_problem(options, index), index);
  }
}

class ProblemsCommand {
 public:
  CLI::App* declare(CLI::App& data) {
    CLI::App* app =
        data.add_subcommand("problems", "Problems with worked solutions, as JSON lines");
    app->add_option("--split", split_, "train or test; no question is in both")
        ->required()
        ->type_name("NAME");
    add_count(*app, "-n,--n", count_, 1, kMostCount, "how many")->required();
    add_count(*app, "--seed", options_.seed, 0, std::numeric_limits<std::uint64_t>::max(),
              "same seed, same problems (1)");
    app->add_option("--family", families_, "quantities, ledger or passcode, may be repeated (all)")
        ->type_name("NAME");
    add_number(*app, "--difficulty", options_.difficulty,
               "share of the full size, above 0 and at most 1 (1)");
    app->add_option("-o,--out", out_, "file instead of standard output")->type_name("PATH");
    return app;
  }

  int run() {
    options_.split = problem_split(split_);
    for (const std::string& name : families_) {
      const ProblemFamily family = problem_family(name);
      const auto end = options_.families.end();
      if (std::find(options_.families.begin(), end, family) != end) {
        throw_usage("--family {} is given twice; every family has an equal share", name);
      }
      options_.families.push_back(family);
    }
    if (!(options_.difficulty > 0 && options_.difficulty <= 1)) {
      throw_usage("--difficulty {} is out of range: above 0 and at most 1", options_.difficulty);
    }
    out_ ? write_file() : write_stdout();
    return 0;
  }

 private:
  void write_file() const {
    require_writable({"--out", *out_});
    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    write_file_atomic(*out_, [&](std::ostream& file) {
      make_problems(options_, count_, &watch, [&](const Problem& problem, std::uint64_t) {
        file << problem_line(problem) << '\n';
      });
    });
  }

  void write_stdout() const {
    make_problems(options_, count_, nullptr, [](const Problem& problem, std::uint64_t index) {
      fmt::print("{}\n", problem_line(problem));
      if (index % kLookUp == 0) check_stdout();
    });
  }

  std::string split_;
  std::uint64_t count_ = 0;
  ProblemOptions options_;
  std::vector<std::string> families_;
  std::optional<std::string> out_;
};

class VocabularyCommand {
 public:
  CLI::App* declare(CLI::App& data) {
    CLI::App* app =
        data.add_subcommand("vocabulary", "A byte-level BPE vocabulary of the problems");
    add_count(*app, "-n,--n", count_, 1, kMostCount, "problems of the train split to learn from")
        ->required();
    add_count(*app, "--seed", options_.seed, 0, std::numeric_limits<std::uint64_t>::max(),
              "seed of these problems (1)");
    add_count(*app, "--vocab-size", vocab_size_, 0, kMostCount, "tokens at most (1000)");
    app->add_option("-o,--out", out_, "folder for the tokenizer's files")
        ->required()
        ->type_name("DIR");
    return app;
  }

  int run() {
    BpeTrainer trainer(chat_vocabulary(vocab_size_));
    require_vocabulary_folder(out_);
    const InterruptWatch watch(InterruptWatch::Signals::kInterruptAndTerminate);
    const ChatTemplate chat(chat_vocabulary_template());
    make_problems(options_, count_, &watch, [&](const Problem& problem, std::uint64_t) {
      // As training sees it: the markers are cut out, the roles' names are learned.
      const nlohmann::ordered_json context = {
          {"messages", {{{"role", "user"}, {"content", problem.question}}}},
          {"add_generation_prompt", true}};
      trainer.add(chat.render(context) + solution_text(problem));
    });
    const std::string json = trainer.tokenizer_json();
    write_vocabulary_folder(out_, json);
    const std::size_t tokens = parse_tokenizer_json(json, out_).tokens.size();
    fmt::print("{}: {} tokens from {} problems{}\n", out_, tokens, count_,
               tokens < vocab_size_ ? "; no pairs are left to join" : "");
    return 0;
  }

 private:
  std::uint64_t count_ = 0;
  std::size_t vocab_size_ = 1000;
  ProblemOptions options_;
  std::string out_;
};

class DataCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("data", "Make problems, and a vocabulary for them");
    app->require_subcommand(1);
    problems_app_ = problems_.declare(*app);
    vocabulary_app_ = vocabulary_.declare(*app);
    return app;
  }

  int run() override {
    const bool problems = problems_app_->parsed();
    refuse_empty_words(problems ? *problems_app_ : *vocabulary_app_);
    return problems ? problems_.run() : vocabulary_.run();
  }

 private:
  ProblemsCommand problems_;
  VocabularyCommand vocabulary_;
  CLI::App* problems_app_ = nullptr;
  CLI::App* vocabulary_app_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> make_data_command() { return std::make_unique<DataCommand>(); }

}  // namespace laconic::cli
