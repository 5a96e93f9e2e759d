// SPDX-License-Identifier: Apache-2.0
// The command line before it is parsed. llama.cpp spells some long options with one dash, which
// POSIX reads as a bundle of letters: the known ones become long options, and the others are
// refused instead of being taken apart. Afterwards, options that were given an empty word.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace laconic::cli {

// The words of `argv` after the program's name. Error(kUsage) names a word that no option or
// subcommand is spelled like. "-n5" is "-n 5".
std::vector<std::string> prepare_arguments(const CLI::App& tool, int argc, char** argv);

// Error(kUsage) names an option of the parsed `command`, or of the subcommand of it that was given,
// whose word is empty, if that says nothing.
void refuse_empty_words(const CLI::App& command);

}  // namespace laconic::cli
