// SPDX-License-Identifier: Apache-2.0
#include "text/pretokenizer.h"

#include <algorithm>

#include "base/error.h"

namespace laconic {
namespace {

constexpr const char* kGpt2Regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Qwen writes numbers digit by digit, Llama 3 by threes; otherwise the two are one.
constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Named {
  std::string_view name;
  PreTokenizerRecipe recipe;
};

const std::vector<Named>& known_recipes() {
  static const std::vector<Named> kKnown = {
      {"gpt-2", {{kGpt2Regex}, false, false, false}},
      {"qwen2", {{kQwen2Regex}, true, false, false}},
      {"deepseek-r1-qwen", {{kQwen2Regex}, true, false, true}},
      {"llama-bpe", {{kLlama3Regex}, false, true, true}},
      {"llama3", {{kLlama3Regex}, false, true, true}},
      {"llama-v3", {{kLlama3Regex}, false, true, true}},
      {"smaug-bpe", {{kLlama3Regex}, false, false, false}},
      {"dbrx", {{kLlama3Regex}, false, false, false}},
      // What GGUF files mean that were written before the names: punctuation, GPT-2's words, then
      // digits by threes from the left.
      {"default",
       {{R"([\p{P}\$\+<=>\^~\|]+)",
         R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))", R"(\p{N}+)",
         R"([0-9][0-9][0-9])"},
        false,
        false,
        false}},
  };
  return kKnown;
}

}  // namespace

PreTokenizerRecipe split_regex_for(std::string_view pre) {
  std::string names;
  for (const Named& known : known_recipes()) {
    if (known.name == pre) return known.recipe;
    if (!names.empty()) names += ", ";
    names += known.name;
  }
  throw_input("the pre-tokenizer \"{}\" is not supported; known are {}", pre, names);
}

std::string deduce_pre(const TokenizerData& data) {
  if (data.kind == TokenizerKind::kSentencePiece) return "default";
  const auto& all = known_recipes();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Named& known) {
    return known.recipe.split_regex == data.split_regex;
  });
  if (found == all.end()) return {};
  const bool deepseek = std::any_of(data.added.begin(), data.added.end(), [](const auto& token) {
    return token.content == "<｜begin▁of▁sentence｜>";
  });
  if (found->name == "qwen2" && deepseek) return "deepseek-r1-qwen";
  return std::string(found->name);
}

}  // namespace laconic
