// SPDX-License-Identifier: Apache-2.0
#include "train/problem_source.h"

#include <limits>

#include "base/error.h"
#include "base/mix.h"
#include "text/reasoning.h"

namespace laconic::train {
namespace {

ChatTemplate open_template(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  const std::string& source = tokenizer.data().chat_template;
  if (source.empty()) throw_input("{} has no chat template", folder.string());
  return ChatTemplate(source);
}

std::string token_text(const TokenizerData& data, TokenId id) {
  return id < 0 ? std::string() : data.tokens[static_cast<std::size_t>(id)];
}

// Prompts write their special tokens themselves; answers have none but </think>.
constexpr EncodeOptions kAsWritten{.add_special = false, .parse_special = true};

// Where every curriculum has come to its end.
constexpr std::uint64_t kLate = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kCheckedTexts = 200;
constexpr std::uint64_t kFingerprintTexts = 16;

}  // namespace

ProblemSource::ProblemSource(const DataRecipe& recipe,
                             const std::filesystem::path& tokenizer_folder)
    : curriculum_(recipe.curriculum),
      learn_question_(recipe.learn_question),
      tokenizer_(Tokenizer::from_directory(tokenizer_folder)),
      template_(open_template(tokenizer_, tokenizer_folder)) {
  options_.seed = recipe.seed;
  options_.split = ProblemSplit::kTrain;
  for (const std::string& name : recipe.families) options_.families.push_back(problem_family(name));
  if (tokenizer_.data().eos < 0) {
    throw_input("the tokenizer of {} has no end token: \"eos_token\" is missing",
                tokenizer_folder.string());
  }
  if (!prompt_opens_reasoning(prompt("?"))) {
    throw_input("the chat template of {} does not open a think block", tokenizer_folder.string());
  }
}

std::string ProblemSource::prompt(const std::string& question) const {
  nlohmann::ordered_json context;
  context["messages"] = nlohmann::ordered_json::array();
  context["messages"].push_back({{"role", "user"}, {"content", question}});
  context["add_generation_prompt"] = true;
  const TokenizerData& data = tokenizer_.data();
  context["bos_token"] = token_text(data, data.bos);
  context["eos_token"] = token_text(data, data.eos);
  return template_.render(context);
}

TrainingText ProblemSource::text(std::uint64_t index, std::uint64_t tokens_before) const {
  ProblemOptions options = options_;
  options.difficulty = difficulty(tokens_before);
  const Problem problem = make_problem(options, index);
  TrainingText text;
  text.id = problem.id;
  text.ids = tokenizer_.encode(prompt(problem.question), kAsWritten);
  text.loss_start = learn_question_ ? 0 : text.ids.size();
  const auto solution = tokenizer_.encode(solution_text(problem), kAsWritten);
  text.ids.insert(text.ids.end(), solution.begin(), solution.end());
  text.ids.push_back(tokenizer_.data().eos);
  return text;
}

double ProblemSource::difficulty(std::uint64_t tokens_before) const {
  return curriculum_.difficulty(tokens_before);
}

void ProblemSource::check(const TextLimits& limits) const {
  for (std::uint64_t i = 0; i < kCheckedTexts; ++i) {
    const TrainingText sample = text(i, kLate);
    check_length(sample.id, sample.ids.size(), limits);
  }
}

Vocabulary ProblemSource::vocabulary() const {
  return {tokenizer_.vocab_size(), vocabulary_hash(tokenizer_.data().tokens)};
}

std::string ProblemSource::fingerprint() const {
  // The texts show what the vocabulary does not: another template, merges or generator.
  std::uint64_t texts = 0;
  for (const std::uint64_t tokens_before : {std::uint64_t{0}, kLate}) {
    for (std::uint64_t i = 0; i < kFingerprintTexts; ++i) {
      for (const std::int32_t id : text(i, tokens_before).ids) {
        texts = mix_key({texts, static_cast<std::uint64_t>(id)});
      }
      texts = mix_key({texts, i});
    }
  }
  return fmt::format("problems, vocabulary {:016x}, texts {:016x}", vocabulary().hash, texts);
}

}  // namespace laconic::train
