// SPDX-License-Identifier: Apache-2.0
// Real vocabularies against the ids that llama.cpp publishes for them, every line.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "test_paths.h"
#include "text/tokenizer.h"

namespace laconic {
namespace {

// Texts are separated by a line of their own.
std::vector<std::string> read_texts(const std::filesystem::path& path) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string content = read_file(path);
  std::vector<std::string> texts;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find(separator, begin), content.size());
    texts.push_back(content.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return texts;
}

std::vector<std::vector<TokenId>> read_ids(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path));
  std::vector<std::vector<TokenId>> all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    std::vector<TokenId> ids;
    for (TokenId id; numbers >> id;) ids.push_back(id);
    all.push_back(ids);
  }
  return all;
}

struct Vector {
  const char* name;       // of the vector files
  const char* directory;  // of the vocabulary
};
void PrintTo(const Vector& vector, std::ostream* out) { *out << vector.name; }

class TokenizerVectors : public ::testing::TestWithParam<Vector> {};

TEST_P(TokenizerVectors, AllLinesExact) {
  const auto root = test::shared_data() / "tokenizers";
  const auto directory = root / GetParam().directory;
  const std::string stem = std::string("ggml-vocab-") + GetParam().name + ".gguf";
  LACONIC_NEEDS(directory);
  LACONIC_NEEDS(root / "vectors" / (stem + ".inp"));
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  const auto texts = read_texts(root / "vectors" / (stem + ".inp"));
  const auto expected = read_ids(root / "vectors" / (stem + ".out"));
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GE(texts.size(), 46u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer.encode(texts[i], {.add_special = false, .parse_special = false});
    EXPECT_EQ(ids, expected[i]) << "text " << i << ": " << texts[i];
    EXPECT_EQ(tokenizer.decode(ids), texts[i]) << "text " << i;
  }
}

// deepseek-r1-qwen's vocabulary is Qwen2.5's with other control tokens.
INSTANTIATE_TEST_SUITE_P(All, TokenizerVectors,
                         ::testing::Values(Vector{"gpt-2", "gpt2"}, Vector{"qwen2", "qwen2.5"},
                                           Vector{"qwen2", "qwen3"},
                                           Vector{"deepseek-r1-qwen", "qwen2.5"},
                                           Vector{"llama-bpe", "llama3"},
                                           Vector{"llama-spm", "llama2"}));

TEST(RealTokenizers, Qwen3ControlTokens) {
  const auto directory = test::shared_data() / "tokenizers/qwen3";
  LACONIC_NEEDS(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  EXPECT_EQ(tokenizer.vocab_size(), 151670u);
  EXPECT_EQ(tokenizer.data().pre, "qwen2");
  EXPECT_TRUE(tokenizer.data().nfc);
  const std::string text = "<|im_start|>user\nhi<|im_end|>\n<think>";
  EXPECT_EQ(tokenizer.encode(text),
            (std::vector<TokenId>{151644, 872, 198, 6023, 151645, 198, 151667}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), true), "user\nhi\n<think>");
  EXPECT_TRUE(tokenizer.is_end(151645));
  EXPECT_TRUE(tokenizer.is_end(151643));
  EXPECT_FALSE(tokenizer.is_end(151644));
  EXPECT_EQ(tokenizer.find("</think>"), 151668);
  EXPECT_FALSE(tokenizer.is_special(151668));
  EXPECT_EQ(tokenizer.data().eos, 151645);
  EXPECT_EQ(tokenizer.data().bos, -1);
  EXPECT_NE(tokenizer.data().chat_template.find("enable_thinking"), std::string::npos);
  // Without parse_special only the tokens that are not special stand out.
  const auto plain = tokenizer.encode(text, {.parse_special = false});
  EXPECT_EQ(plain.back(), 151667);
  EXPECT_NE(plain.front(), 151644);
}

TEST(RealTokenizers, Llama3BeginsWithBosAndIgnoresMerges) {
  const auto directory = test::shared_data() / "tokenizers/llama3";
  LACONIC_NEEDS(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  EXPECT_TRUE(tokenizer.data().ignore_merges);
  EXPECT_EQ(tokenizer.data().pre, "llama-bpe");
  EXPECT_EQ(tokenizer.encode("Hello world"), (std::vector<TokenId>{128000, 9906, 1917}));
  EXPECT_TRUE(tokenizer.is_end(128001));
  EXPECT_TRUE(tokenizer.is_end(128009));  // <|eot_id|>, by its name
}

TEST(RealTokenizers, Llama2PrefixesASpace) {
  const auto directory = test::shared_data() / "tokenizers/llama2";
  LACONIC_NEEDS(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  EXPECT_EQ(tokenizer.data().pre, "default");
  EXPECT_EQ(tokenizer.encode("Hello"), (std::vector<TokenId>{1, 15043}));
  EXPECT_EQ(tokenizer.encode("Hello</s>Hello"), (std::vector<TokenId>{1, 15043, 2, 15043}));
  EXPECT_EQ(tokenizer.encode(""), (std::vector<TokenId>{1}));
  EXPECT_EQ(tokenizer.find("<0x0A>"), 13);
  EXPECT_EQ(tokenizer.piece(13), "\n");
}

TEST(RealTokenizers, Qwen25FromVocabAndMerges) {
  const auto directory = test::shared_data() / "tokenizers/qwen2.5";
  LACONIC_NEEDS(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  EXPECT_EQ(tokenizer.vocab_size(), 151665u);
  EXPECT_EQ(tokenizer.data().eos, 151645);
  EXPECT_EQ(tokenizer.data().pad, 151643);
  EXPECT_TRUE(tokenizer.is_end(151643));
  EXPECT_EQ(tokenizer.encode("e\u0301"), tokenizer.encode("\u00e9"));  // NFC
  EXPECT_FALSE(tokenizer.data().chat_template.empty());
}

TEST(RealTokenizers, Stories260K) {
  const auto directory = test::shared_data() / "models/stories260K";
  LACONIC_NEEDS(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  const Json expected = parse_json(read_file(directory / "expected.json"), "expected.json");
  auto ids = expected.at("prompt_ids").get<std::vector<TokenId>>();
  const auto greedy = expected.at("greedy_ids").get<std::vector<TokenId>>();
  const auto text = expected.at("greedy_text").get<std::string>();
  ids.insert(ids.end(), greedy.begin(), greedy.end());
  EXPECT_EQ(tokenizer.decode(ids, true), text);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), true), text);
  TokenStream stream(tokenizer, true, true);
  std::string streamed;
  for (const TokenId id : ids) streamed += stream.push(id);
  EXPECT_EQ(streamed + stream.finish(), text);
  EXPECT_TRUE(tokenizer.is_end(2));
  EXPECT_EQ(tokenizer.data().bos, 1);
}

}  // namespace
}  // namespace laconic
