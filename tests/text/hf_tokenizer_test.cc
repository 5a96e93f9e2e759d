// SPDX-License-Identifier: Apache-2.0
// Hugging Face files made in place: which pipelines are understood, and how others are refused.
#include "text/hf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "made_tokenizers.h"
#include "test_paths.h"

namespace laconic {
namespace {

using ::testing::HasSubstr;

Json vocabulary_of(const TokenizerData& data) {
  Json vocab = Json::object();
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (data.types[id] != TokenType::kUserDefined) vocab[data.tokens[id]] = id;
  }
  return vocab;
}

Json added_of(const TokenizerData& data) {
  Json list = Json::array();
  for (const auto& token : data.added) {
    list.push_back({{"id", token.id}, {"content", token.content}, {"special", token.special}});
  }
  return list;
}

// A byte-level tokenizer.json in Qwen's manner.
Json byte_level_json() {
  const TokenizerData data = test::made_byte_level();
  Json merges = Json::array();
  for (const auto& [left, right] : data.merges) merges.push_back(left + " " + right);
  Json split = {{"type", "Split"},
                {"pattern", {{"Regex", data.split_regex.at(0)}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
          {"post_processor", bytes},
          {"decoder", bytes},
          {"added_tokens", added_of(data)},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary_of(data)}, {"merges", merges}}}};
}

// A SentencePiece-style one in Llama 2's manner.
Json sentence_piece_json() {
  const TokenizerData data = test::made_sentence_piece();
  Json prepend = {{"type", "Prepend"}, {"prepend", "▁"}};
  Json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  Json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  Json ids = {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}};
  Json added = Json::array();
  for (const int id : {0, 1, 2}) {
    added.push_back(
        {{"id", id}, {"content", data.tokens[static_cast<std::size_t>(id)]}, {"special", true}});
  }
  return {{"normalizer", {{"type", "Sequence"}, {"normalizers", {prepend, replace}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor",
           {{"type", "TemplateProcessing"}, {"single", {bos, text}}, {"special_tokens", ids}}},
          {"added_tokens", added},
          {"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"byte_fallback", true},
            {"fuse_unk", true},
            {"vocab", vocabulary_of(data)},
            {"merges", {"▁ t", "h e", {"▁t", "he"}, {"▁", "▁"}}}}}};
}

TokenizerData parse(const Json& document) {
  return parse_tokenizer_json(document.dump(), "tokenizer.json");
}

std::string refusal(const Json& document) {
  try {
    parse(document);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "accepted";
}

void write(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

TEST(HfTokenizer, ByteLevelEqualsTheSameTables) {
  const Tokenizer read(parse(byte_level_json()));
  const Tokenizer made(test::made_byte_level());
  EXPECT_EQ(read.data().pre, "qwen2");
  EXPECT_TRUE(read.data().nfc);
  EXPECT_EQ(read.data().tokens, made.data().tokens);
  EXPECT_EQ(read.data().types, made.data().types);
  for (const char* text : {"the hell<think> of the <s>", "e\u0301 42"}) {
    EXPECT_EQ(read.encode(text), made.encode(text));
  }
}

TEST(HfTokenizer, MergesAsPairs) {
  Json document = byte_level_json();
  const auto strings = parse(document).merges;
  Json pairs = Json::array();
  for (const auto& [left, right] : strings) pairs.push_back({left, right});
  document["model"]["merges"] = pairs;
  EXPECT_EQ(parse(document).merges, strings);
}

TEST(HfTokenizer, Gpt2ByteLevelBringsItsRegex) {
  Json document = byte_level_json();
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}};
  const TokenizerData data = parse(document);
  EXPECT_EQ(data.pre, "gpt-2");
  EXPECT_FALSE(data.nfc);
  const Tokenizer tokenizer(data);
  EXPECT_EQ(tokenizer.encode("the"), tokenizer.encode(" the"));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the")), " the");
}

TEST(HfTokenizer, SentencePiece) {
  const TokenizerData data = parse(sentence_piece_json());
  EXPECT_EQ(data.kind, TokenizerKind::kSentencePiece);
  EXPECT_EQ(data.types[0], TokenType::kUnknown);
  EXPECT_EQ(data.types[3], TokenType::kByte);
  EXPECT_TRUE(data.add_bos && data.add_space_prefix);
  EXPECT_EQ(data.bos, 1);
  EXPECT_EQ(data.unk, 0);
  const Tokenizer tokenizer(data);
  EXPECT_EQ(tokenizer.encode("the"), (std::vector<TokenId>{1, tokenizer.find("▁the")}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("the €"), true), "the €");
}

TEST(HfTokenizer, MetaspaceSchemes) {
  Json document = sentence_piece_json();
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  TokenizerData data = parse(document);
  EXPECT_TRUE(data.add_space_prefix && data.space_prefix_first_only &&
              data.space_prefix_if_missing);
  EXPECT_TRUE(data.split_regex.empty());
  document["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}};
  data = parse(document);
  EXPECT_FALSE(data.add_space_prefix);
  // Split at each space: two spaces cannot become one token.
  const Tokenizer tokenizer(data);
  const TokenId space = tokenizer.find("▁");
  EXPECT_EQ(tokenizer.encode("  ", {.add_special = false}), (std::vector<TokenId>{space, space}));
  document["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", true}};
  data = parse(document);
  EXPECT_TRUE(data.add_space_prefix && !data.space_prefix_first_only);
}

TEST(HfTokenizer, TemplateAfterTheText) {
  Json document = byte_level_json();
  Json end = {{"SpecialToken", {{"id", "<|im_end|>"}}}};
  const TokenId id = Tokenizer(parse(document)).find("<|im_end|>");
  document["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", {{{"Sequence", {{"id", "A"}}}}, end}},
                                {"special_tokens", {{"<|im_end|>", {{"ids", {id}}}}}}};
  const TokenizerData data = parse(document);
  EXPECT_TRUE(data.add_eos && !data.add_bos);
  EXPECT_EQ(data.eos, id);
}

TEST(HfTokenizer, UnknownComponentsAreRefusedByName) {
  const auto with = [](const char* path, Json value) {
    Json document = byte_level_json();
    document[Json::json_pointer(path)] = std::move(value);
    return refusal(document);
  };
  EXPECT_THAT(with("/normalizer", {{"type", "Lowercase"}}), HasSubstr("Lowercase"));
  EXPECT_THAT(with("/normalizer", {{"type", "Prepend"}, {"prepend", "x"}}), HasSubstr("\"x\""));
  EXPECT_THAT(with("/pre_tokenizer", {{"type", "Whitespace"}}), HasSubstr("Whitespace"));
  EXPECT_THAT(with("/pre_tokenizer/pretokenizers/0/behavior", "Removed"), HasSubstr("Removed"));
  EXPECT_THAT(with("/pre_tokenizer/pretokenizers/0/invert", true), HasSubstr("inverted"));
  EXPECT_THAT(with("/post_processor", {{"type", "BertProcessing"}}), HasSubstr("BertProcessing"));
  EXPECT_THAT(with("/decoder", {{"type", "WordPiece"}}), HasSubstr("WordPiece"));
  EXPECT_THAT(with("/model/type", "Unigram"), HasSubstr("Unigram"));
  EXPECT_THAT(with("/model/dropout", 0.1), HasSubstr("dropout"));
  EXPECT_THAT(with("/model/end_of_word_suffix", "</w>"), HasSubstr("</w>"));
  EXPECT_THAT(with("/pre_tokenizer", nullptr), HasSubstr("neither byte-level"));
}

TEST(HfTokenizer, DamagedTablesAreRefused) {
  const auto with = [](const char* path, Json value) {
    Json document = byte_level_json();
    document[Json::json_pointer(path)] = std::move(value);
    return refusal(document);
  };
  EXPECT_THAT(with("/model", nullptr), HasSubstr("model"));
  EXPECT_THAT(with("/model/vocab", Json::object()), HasSubstr("vocabulary"));
  EXPECT_THAT(with("/model/vocab/a", 2'000'000'000), HasSubstr("2000000000"));
  EXPECT_THAT(with("/model/vocab/a", -1), HasSubstr("-1"));
  EXPECT_THAT(with("/model/vocab/a", 0), HasSubstr("same id"));
  EXPECT_THAT(with("/model/vocab/a", "x"), HasSubstr("integer"));
  EXPECT_THAT(with("/model/merges/0", "abc"), HasSubstr("abc"));
  EXPECT_THAT(with("/model/merges/0", 5), HasSubstr("merge 0"));
  EXPECT_THAT(with("/model/merges", nullptr), HasSubstr("merges"));
  EXPECT_THAT(with("/added_tokens/0/id", 1'000'000'000'000), HasSubstr("does not fit"));
  EXPECT_THAT(with("/added_tokens/0/content", nullptr), HasSubstr("content"));
  Json deep = {{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) deep = {{"type", "Sequence"}, {"normalizers", Json::array({deep})}};
  EXPECT_THAT(with("/normalizer", deep), HasSubstr("nested"));
  EXPECT_THROW(parse_tokenizer_json("{", "x"), Error);
  EXPECT_THROW(parse_tokenizer_json("[]", "x"), Error);
}

TEST(HfDirectory, ConfigSetsTokensFlagsAndTemplate) {
  test::TemporaryFolder folder;
  write(folder / "tokenizer.json", byte_level_json().dump());
  const Json config = {
      {"tokenizer_class", "LlamaTokenizerFast"},
      {"add_bos_token", true},
      {"bos_token", {{"content", "<s>"}}},
      {"eos_token", "<|im_end|>"},
      {"added_tokens_decoder", {{"271", {{"content", "<new>"}, {"special", true}}}}},
      {"chat_template",
       {{{"name", "tool_use"}, {"template", "T"}}, {{"name", "default"}, {"template", "D"}}}}};
  write(folder / "tokenizer_config.json", config.dump());
  write(folder / "generation_config.json", R"({"eos_token_id": [3, 5]})");
  write(folder / "config.json", R"({"eos_token_id": 9})");
  const Tokenizer tokenizer = Tokenizer::from_directory(folder.path());
  EXPECT_TRUE(tokenizer.data().add_bos);
  EXPECT_FALSE(tokenizer.data().add_eos);
  EXPECT_EQ(tokenizer.encode("a").front(), tokenizer.find("<s>"));
  EXPECT_EQ(tokenizer.data().eos, tokenizer.find("<|im_end|>"));
  EXPECT_EQ(tokenizer.encode("<new>", {.add_special = false}), (std::vector<TokenId>{271}));
  EXPECT_EQ(tokenizer.data().chat_template, "D");
  EXPECT_TRUE(tokenizer.is_end(3) && tokenizer.is_end(5));
  EXPECT_FALSE(tokenizer.is_end(9));
  write(folder / "chat_template.jinja", "J");
  EXPECT_EQ(load_hf_tokenizer(folder.path()).chat_template, "J");
}

TEST(HfDirectory, OtherClassesKeepThePostProcessor) {
  test::TemporaryFolder folder;
  write(folder / "tokenizer.json", sentence_piece_json().dump());
  write(folder / "tokenizer_config.json",
        R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": false})");
  write(folder / "config.json", R"({"eos_token_id": 2})");
  const TokenizerData kept = load_hf_tokenizer(folder.path());
  EXPECT_TRUE(kept.add_bos);
  EXPECT_EQ(kept.eos, 2);
  write(folder / "tokenizer_config.json",
        R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})");
  EXPECT_FALSE(load_hf_tokenizer(folder.path()).add_bos);
}

TEST(HfDirectory, VocabAndMergesOfAKnownClass) {
  const TokenizerData made = test::made_byte_level("gpt-2");
  test::TemporaryFolder folder;
  Json vocab = Json::object();
  for (std::size_t id = 0; id + made.added.size() < made.tokens.size(); ++id) {
    vocab[made.tokens[id]] = id;
  }
  std::string merges = "#version: 0.2\n";
  for (const auto& [left, right] : made.merges) merges += left + " " + right + "\r\n";
  Json added = Json::object();
  for (const auto& token : made.added) added[token.content] = token.id;
  write(folder / "vocab.json", vocab.dump());
  write(folder / "merges.txt", merges);
  write(folder / "added_tokens.json", added.dump());
  EXPECT_THROW(load_hf_tokenizer(folder.path()), Error);  // which class?
  write(folder / "tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
  const Tokenizer tokenizer = Tokenizer::from_directory(folder.path());
  EXPECT_EQ(tokenizer.data().pre, "gpt-2");
  EXPECT_EQ(tokenizer.data().merges, made.merges);
  const std::string text = "the <s> hell 123";
  EXPECT_EQ(tokenizer.encode(text), Tokenizer(made).encode(text));
  write(folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_THROW(load_hf_tokenizer(folder.path()), Error);
}

TEST(HfDirectory, MissingAndDamagedFilesAreRefused) {
  test::TemporaryFolder folder;
  EXPECT_THROW(load_hf_tokenizer(folder.path()), Error);
  EXPECT_THROW(load_hf_tokenizer(folder / "absent"), Error);
  write(folder / "tokenizer.json", byte_level_json().dump());
  EXPECT_NO_THROW(load_hf_tokenizer(folder.path()));
  for (const char* config : {"[]", R"({"eos_token": 5})", R"({"chat_template": 1})",
                             R"({"added_tokens_decoder": {"x": {"content": "y"}}})",
                             R"({"added_tokens_decoder": {"1": {}}})"}) {
    write(folder / "tokenizer_config.json", config);
    EXPECT_THROW(load_hf_tokenizer(folder.path()), Error) << config;
  }
  write(folder / "tokenizer_config.json", "{}");
  write(folder / "generation_config.json", R"({"eos_token_id": "x"})");
  EXPECT_THROW(load_hf_tokenizer(folder.path()), Error);
}

}  // namespace
}  // namespace laconic
