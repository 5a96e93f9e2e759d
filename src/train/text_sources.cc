// SPDX-License-Identifier: Apache-2.0
#include "train/text_sources.h"

#include "base/error.h"
#include "text/tokenizer.h"
#include "train/problem_source.h"
#include "train/shard_source.h"

namespace laconic::train {

std::unique_ptr<TextSource> make_source(const Recipe& recipe) {
  if (recipe.data.kind == DataKind::kProblems) {
    return std::make_unique<ProblemSource>(recipe.data, recipe.tokenizer);
  }
  auto source = std::make_unique<ShardSource>(recipe.data.files);
  const Tokenizer tokenizer = Tokenizer::from_directory(recipe.tokenizer);
  const Vocabulary vocabulary{tokenizer.vocab_size(), vocabulary_hash(tokenizer.data().tokens)};
  if (vocabulary != source->vocabulary()) {
    throw_input("{} was made with another vocabulary than that of {}",
                recipe.data.files.front().string(), recipe.tokenizer.string());
  }
  return source;
}

}  // namespace laconic::train
