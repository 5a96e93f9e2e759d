// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace laconic::cli {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSpellings = {{
    {"-sys", "--system-prompt"},
    {"-cnv", "--conversation"},
    {"-no-cnv", "--no-conversation"},
    {"-rea", "--reasoning"},
    {"-st", "--single-turn"},
}};

const CLI::App* find_subcommand(const CLI::App& app, const std::string& name) {
  const auto found =
      app.get_subcommands([&](const CLI::App* one) { return one->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

bool has_subcommands(const CLI::App& app) {
  return !app.get_subcommands([](const CLI::App*) { return true; }).empty();
}

bool takes_word(const CLI::App& app, const std::string& option) {
  const CLI::Option* found = app.get_option_no_throw(option);
  return found != nullptr && found->get_items_expected() > 0;
}

// "-n5", "-t-1": a short option and its number.
bool is_number_after_letter(const CLI::App& app, const std::string& word) {
  return takes_word(app, word.substr(0, 2)) &&
         word.find_first_not_of("-0123456789.", 2) == std::string::npos;
}

std::string long_spelling(const CLI::App& app, const std::string& word) {
  for (const auto& [short_form, long_form] : kSpellings) {
    if (word == short_form && app.get_option_no_throw(std::string(long_form)) != nullptr) {
      return std::string(long_form);
    }
  }
  if (is_number_after_letter(app, word)) return word;
  throw_usage("{} is not an option of {}; --help lists them", word, app.get_name());
}

}  // namespace

std::vector<std::string> prepare_arguments(const CLI::App& tool, int argc, char** argv) {
  std::vector<std::string> out;
  const CLI::App* app = &tool;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "--") {  // what follows is no option
      for (; i < argc; ++i) out.emplace_back(argv[i]);
      break;
    }
    const bool option = word.size() > 1 && word[0] == '-';
    if (option && word[1] != '-' && word.size() > 2) word = long_spelling(*app, word);
    const bool word_follows = option && takes_word(*app, word);
    if (!option && has_subcommands(*app)) {
      const CLI::App* inner = find_subcommand(*app, word);
      if (inner == nullptr) {
        throw_usage("\"{}\" is no subcommand of {}; --help lists them", word, app->get_name());
      }
      app = inner;
      if (inner->get_prefix_command()) {  // another program's words
        for (; i < argc; ++i) out.emplace_back(argv[i]);
        break;
      }
    }
    out.push_back(std::move(word));
    // What an option takes is its own business, even when it begins with a dash.
    if (word_follows && i + 1 < argc) out.emplace_back(argv[++i]);
  }
  return out;
}

void refuse_empty_words(const CLI::App& command) {
  constexpr std::array<std::string_view, 2> kTexts = {"--prompt", "--system-prompt"};
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const auto& words = option->results();
    if (std::find(words.begin(), words.end(), "") == words.end()) continue;
    if (std::find(kTexts.begin(), kTexts.end(), name) != kTexts.end()) continue;
    throw_usage("{} is empty; leave it out or give it a value", name);
  }
  for (const CLI::App* inner : command.get_subcommands()) refuse_empty_words(*inner);
}

}  // namespace laconic::cli
