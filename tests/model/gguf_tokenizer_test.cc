// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/file.h"
#include "expect_error.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/made_tokenizer.h"
#include "test_paths.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;
using test::expect_error;

fs::path vectors() { return test::shared_data() / "tokenizers" / "vectors"; }

std::vector<std::string> texts(const fs::path& path) {
  const std::string all = read_file(path), mark = "\n__ggml_vocab_test__\n";
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = all.find(mark, begin);
    if (end == std::string::npos) break;
    out.push_back(all.substr(begin, end - begin));
    begin = end + mark.size();
  }
  if (begin < all.size()) out.push_back(all.substr(begin));
  return out;
}

std::vector<std::vector<TokenId>> id_lines(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::vector<TokenId>> out;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::vector<TokenId> ids;
    for (TokenId id; words >> id;) ids.push_back(id);
    out.push_back(ids);
  }
  return out;
}

class Vectors : public ::testing::TestWithParam<const char*> {};

TEST_P(Vectors, AreExactAlsoAfterARoundTrip) {
  const fs::path file = vectors() / (std::string(GetParam()) + ".gguf");
  LACONIC_NEEDS(file);
  const GgufFile gguf(file);
  const TokenizerData data = tokenizer_from_gguf(gguf.metadata(), file.string());
  const Tokenizer direct(data);
  const Tokenizer again(tokenizer_from_gguf(tokenizer_to_gguf(data), "written"));
  const auto inputs = texts(file.string() + ".inp");
  const auto outputs = id_lines(file.string() + ".out");
  ASSERT_GT(inputs.size(), 40u);
  ASSERT_EQ(inputs.size(), outputs.size());
  EncodeOptions plain;
  plain.add_special = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(direct.encode(inputs[i], plain), outputs[i]) << "text " << i << ": " << inputs[i];
    EXPECT_EQ(again.encode(inputs[i], plain), outputs[i]) << "text " << i << ": " << inputs[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Shared, Vectors,
                         ::testing::Values("ggml-vocab-gpt-2", "ggml-vocab-llama-spm"),
                         [](const auto& one) {
                           return std::string(one.param).substr(11) == "gpt-2" ? "gpt2" : "spm";
                         });

// Directories through GGUF's keys: vectors, and where the tokenizer with that vocabulary lies.
struct Through {
  const char* vectors;
  const char* directory;
};
class VectorsThroughGguf : public ::testing::TestWithParam<Through> {};

TEST_P(VectorsThroughGguf, AreExact) {
  const fs::path directory = test::shared_data() / "tokenizers" / GetParam().directory;
  const std::string stem = std::string("ggml-vocab-") + GetParam().vectors + ".gguf";
  LACONIC_NEEDS(directory);
  LACONIC_NEEDS(vectors() / (stem + ".inp"));
  const Tokenizer hf = Tokenizer::from_directory(directory);
  const TokenizerData back = tokenizer_from_gguf(tokenizer_to_gguf(hf.data()), "written");
  EXPECT_EQ(back.pre, hf.data().pre);
  const Tokenizer tokenizer(back);
  const auto inputs = texts(vectors() / (stem + ".inp"));
  const auto outputs = id_lines(vectors() / (stem + ".out"));
  ASSERT_GT(inputs.size(), 40u);
  ASSERT_EQ(inputs.size(), outputs.size());
  EncodeOptions plain;
  plain.add_special = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(tokenizer.encode(inputs[i], plain), outputs[i]) << "text " << i << ": " << inputs[i];
    EXPECT_EQ(tokenizer.encode(inputs[i]), hf.encode(inputs[i])) << "text " << i;  // BOS too
  }
}

INSTANTIATE_TEST_SUITE_P(Shared, VectorsThroughGguf,
                         ::testing::Values(Through{"qwen2", "qwen2.5"}, Through{"qwen2", "qwen3"},
                                           Through{"deepseek-r1-qwen", "qwen2.5"},
                                           Through{"llama-bpe", "llama3"}),
                         [](const auto& one) {
                           std::string name =
                               std::string(one.param.vectors) + "_" + one.param.directory;
                           for (char& c : name) {
                             if (c == '-' || c == '.') c = '_';
                           }
                           return name;
                         });

TEST(GgufTokenizer, BertIsRefusedByName) {
  const fs::path file = vectors() / "ggml-vocab-bert-bge.gguf";
  LACONIC_NEEDS(file);
  const GgufFile gguf(file);
  expect_error(ErrorKind::kInput, "bert",
               [&] { tokenizer_from_gguf(gguf.metadata(), file.string()); });
}

TEST(GgufTokenizer, MissingKeysMeanWhatLlamaCppMeans) {
  GgufMetadata metadata;
  EXPECT_FALSE(gguf_has_tokenizer(metadata));
  metadata["tokenizer.ggml.model"] = std::string("llama");
  metadata["tokenizer.ggml.tokens"] = std::vector<std::string>{"<unk>", "<s>", "</s>", "▁a"};
  metadata["tokenizer.ggml.scores"] = std::vector<double>{0, 0, 0, -1};
  metadata["tokenizer.ggml.token_type"] = std::vector<std::int64_t>{2, 3, 3, 1};
  EXPECT_TRUE(gguf_has_tokenizer(metadata));
  const TokenizerData data = tokenizer_from_gguf(metadata, "x");
  EXPECT_TRUE(data.add_bos && data.add_space_prefix);
  EXPECT_FALSE(data.add_eos);
  EXPECT_EQ(data.bos, 1);
  EXPECT_EQ(data.eos, 2);
  EXPECT_EQ(data.unk, 0);
  EXPECT_EQ(data.added.size(), 3u);
  metadata["tokenizer.ggml.add_bos_token"] = false;
  metadata["tokenizer.ggml.add_space_prefix"] = false;
  EXPECT_FALSE(tokenizer_from_gguf(metadata, "x").add_bos);
  EXPECT_FALSE(tokenizer_from_gguf(metadata, "x").add_space_prefix);
  metadata["tokenizer.ggml.model"] = std::string("no_vocab");
  EXPECT_FALSE(gguf_has_tokenizer(metadata));
}

TEST(GgufTokenizer, ContradictionsAreRefused) {
  const GgufMetadata good = tokenizer_to_gguf(made_tokenizer(300));
  const auto bad = [&](const char* key, GgufValue value, const char* part) {
    GgufMetadata metadata = good;
    metadata[key] = std::move(value);
    expect_error(ErrorKind::kInput, part, [&] { tokenizer_from_gguf(metadata, "x"); });
  };
  bad("tokenizer.ggml.pre", std::string("martian"), "martian");
  bad("tokenizer.ggml.tokens", std::vector<std::string>{}, "tokens");
  bad("tokenizer.ggml.token_type", std::vector<std::int64_t>{1}, "1 entries for 300");
  bad("tokenizer.ggml.token_type", std::vector<std::int64_t>(300, 9), "9");
  bad("tokenizer.ggml.merges", std::vector<std::string>{"ab"}, "pair");
  bad("tokenizer.ggml.eos_token_id", std::uint64_t{300}, "300 tokens");
  bad("tokenizer.ggml.model", std::string("t5"), "t5");
  GgufMetadata none = good;
  none.erase("tokenizer.ggml.merges");
  expect_error(ErrorKind::kInput, "merges", [&] { tokenizer_from_gguf(none, "x"); });
}

TEST(GgufTokenizer, WritesAMadeOneAndReadsItBack) {
  const TokenizerData data = made_tokenizer(300);
  const TokenizerData back = tokenizer_from_gguf(tokenizer_to_gguf(data), "x");
  EXPECT_EQ(back.tokens, data.tokens);
  EXPECT_EQ(back.types, data.types);
  EXPECT_EQ(back.merges, data.merges);
  EXPECT_EQ(back.split_regex, data.split_regex);
  EXPECT_EQ(back.eos, data.eos);
  EXPECT_EQ(back.end_tokens, data.end_tokens);
  EXPECT_EQ(back.chat_template, data.chat_template);
  EXPECT_EQ(back.added.size(), data.added.size());
}

TEST(GgufTokenizer, PadsToTheEmbedding) {
  const TokenizerData padded = padded_tokenizer(made_tokenizer(300), 320);
  EXPECT_EQ(padded.tokens.size(), 320u);
  EXPECT_EQ(padded.tokens.back(), "[PAD319]");
  EXPECT_EQ(padded.types.back(), TokenType::kUnused);
  expect_error(ErrorKind::kInput, "300 tokens", [] { padded_tokenizer(made_tokenizer(300), 299); });
}

// Ranks become scores for llama.cpp: the same text must give the same ids either way.
void expect_scores_equal_ranks(const fs::path& directory, const std::vector<std::string>& samples) {
  const Tokenizer ranks = Tokenizer::from_directory(directory);
  ASSERT_EQ(ranks.data().kind, TokenizerKind::kSentencePiece);
  ASSERT_FALSE(ranks.data().merges.empty());
  const TokenizerData by_score = tokenizer_from_gguf(tokenizer_to_gguf(ranks.data()), "written");
  ASSERT_TRUE(by_score.merges.empty());
  const Tokenizer scores(by_score);
  for (const std::string& text : samples) {
    EXPECT_EQ(scores.encode(text), ranks.encode(text)) << text;
  }
}

TEST(GgufTokenizer, ScoresMadeFromRanksEncodeStoriesAlike) {
  const fs::path stories = test::shared_data() / "models" / "stories260K";
  LACONIC_NEEDS(stories);
  const Json expected = parse_json(read_file(stories / "expected.json"), "expected.json");
  const auto story = expected["greedy_text"].get<std::string>();
  std::vector<std::string> samples = {story, "", " ", "  two  spaces",
                                      "naïve 漢字 \xf0\x9f\x90\xab"};
  for (std::size_t i = 0; i + 40 < story.size(); i += 7) samples.push_back(story.substr(i, 40));
  expect_scores_equal_ranks(stories, samples);
  // The scores that the model was trained with give the same ids too.
  const auto original = Checkpoint::open(stories / "stories260K-f32.gguf").tokenizer();
  ASSERT_TRUE(original);
  for (const std::string& text : samples) {
    EXPECT_EQ(original->encode(text), Tokenizer::from_directory(stories).encode(text)) << text;
  }
}

TEST(GgufTokenizer, ScoresMadeFromRanksEncodeLlama2Alike) {
  const fs::path llama2 = test::shared_data() / "tokenizers" / "llama2";
  LACONIC_NEEDS(llama2);
  expect_scores_equal_ranks(llama2, texts(vectors() / "ggml-vocab-llama-spm.gguf.inp"));
}

}  // namespace
}  // namespace laconic
