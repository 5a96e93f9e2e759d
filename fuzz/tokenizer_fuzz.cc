// SPDX-License-Identifier: Apache-2.0
// tokenizer.json bytes -> load -> encode and decode; and any bytes as text for made tokenizers.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "laconic/error.h"
#include "text/byte_level.h"
#include "text/hf_tokenizer.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

using laconic::TokenId;
using laconic::Tokenizer;
using laconic::TokenizerData;
using laconic::TokenType;

Tokenizer made_byte_level() {
  TokenizerData data;
  const laconic::PreTokenizerRecipe recipe = laconic::split_regex_for("qwen2");
  data.split_regex = recipe.split_regex;
  data.nfc = recipe.nfc;
  const auto add = [&](std::string spelling, TokenType type) {
    data.tokens.push_back(std::move(spelling));
    data.types.push_back(type);
  };
  for (int byte = 0; byte < 256; ++byte) {
    add(laconic::byte_level_spelling(std::string(1, static_cast<char>(byte))), TokenType::kNormal);
  }
  for (const auto& [left, right] : {std::pair{"t", "h"}, {"th", "e"}, {"a", "a"}, {"aa", "aa"}}) {
    data.merges.emplace_back(left, right);
    add(std::string(left) + right, TokenType::kNormal);
  }
  add("<s>", TokenType::kControl);
  add("<think>", TokenType::kUserDefined);
  return Tokenizer(data);
}

void require(bool holds) {
  if (!holds) std::abort();
}

void stream_equals_decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  laconic::TokenStream stream(tokenizer, false, true);
  std::string whole;
  for (const TokenId id : ids) whole += stream.push(id);
  require(whole + stream.finish() == tokenizer.decode(ids));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  static const Tokenizer kMade = made_byte_level();
  const std::vector<TokenId> ids = kMade.encode(text);
  require(kMade.decode(ids) == laconic::to_nfc(laconic::sanitize_utf8(text)));
  stream_equals_decode(kMade, ids);
  try {
    const Tokenizer loaded(laconic::parse_tokenizer_json(text, "input"));
    for (const std::string_view sample : {std::string_view("the cat, <s>  42\n"), text}) {
      stream_equals_decode(loaded, loaded.encode(sample));
    }
  } catch (const laconic::Error&) {
  }
  return 0;
}
