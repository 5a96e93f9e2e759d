// SPDX-License-Identifier: Apache-2.0
// A Hugging Face directory whose ByteLevel pre-tokenizer splits by itself (use_regex), as learned
// vocabularies have it, through the whole way to a GGUF file: the same name, ids and marks.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/gguf_tokenizer.h"
#include "test_paths.h"
#include "text/byte_level.h"

namespace laconic {
namespace {

constexpr TokenId kMerged = 256, kEndOfText = 260, kTurnEnd = 262, kThink = 263;

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}

void write_tokenizer(const std::filesystem::path& directory) {
  Json vocab = Json::object(), merges = Json::array(), added = Json::array();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[byte_level_spelling(std::string(1, static_cast<char>(byte)))] = byte;
  }
  // A digit may follow a space; " 12" is [" 1", "2"] because no merge joins digits.
  for (const auto& [left, right] : {std::pair{" ", "1"}, {"h", "e"}, {" ", "t"}, {" t", "he"}}) {
    const std::string a = byte_level_spelling(left), b = byte_level_spelling(right);
    vocab[a + b] = vocab.size();
    merges.push_back(a + " " + b);
  }
  TokenId next = kEndOfText;
  for (const char* content : {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"}) {
    added.push_back({{"id", next++}, {"content", content}, {"special", content[1] == '|'}});
  }
  const Json tokenizer = {
      {"version", "1.0"},
      {"added_tokens", added},
      {"pre_tokenizer", byte_level(true)},
      {"decoder", byte_level(true)},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}},
  };
  const Json config = {{"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}};
  std::filesystem::create_directory(directory);
  write_file_atomic(directory / "tokenizer.json", tokenizer.dump());
  write_file_atomic(directory / "tokenizer_config.json", config.dump());
  write_file_atomic(directory / "generation_config.json", R"({"eos_token_id": [262, 260]})");
}

TEST(GgufLearnedVocabulary, KeepsNameIdsAndMarks) {
  const test::TemporaryFolder folder;
  write_tokenizer(folder / "words");
  make_random_model(known_model("tiny"), folder / "hf", DType::kF32, folder / "words", 1);
  write_gguf_checkpoint(Checkpoint::open(folder / "hf"), folder / "a.gguf", DType::kF16);
  const GgufFile file(folder / "a.gguf");
  EXPECT_EQ(gguf_string(file.metadata(), "tokenizer.ggml.pre"), "gpt-2");
  const Tokenizer gguf(tokenizer_from_gguf(file.metadata(), "a.gguf"));
  const Tokenizer hf = Tokenizer::from_directory(folder / "words");

  EXPECT_EQ(hf.encode("the the 12<|im_end|>"),
            (std::vector<TokenId>{'t', kMerged + 1, kMerged + 3, kMerged, '2', kTurnEnd}));
  for (const std::string text : {"the the 12<|im_end|>", "123 1 12", "<think>\n\nthe</think>",
                                 "it's 1st, isn't it?", "  the", "naïve 漢字 \xf0\x9f\x90\xab",
                                 "3.14 \t\n 1", "<|im_start|>user\nthe<|endoftext|>", ""}) {
    EXPECT_EQ(gguf.encode(text), hf.encode(text)) << text;
    EXPECT_EQ(gguf.decode(hf.encode(text)), text);
    EXPECT_EQ(gguf.decode(hf.encode(text), true), hf.decode(hf.encode(text), true)) << text;
  }
  EXPECT_EQ(gguf.data().eos, kTurnEnd);
  EXPECT_EQ(gguf.data().pad, kEndOfText);
  EXPECT_TRUE(gguf.is_end(kEndOfText) && gguf.is_special(kTurnEnd));
  EXPECT_FALSE(gguf.is_special(kThink));
}

}  // namespace
}  // namespace laconic
