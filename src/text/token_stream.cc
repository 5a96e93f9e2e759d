// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace laconic {

TokenStream::TokenStream(const Tokenizer& tokenizer, bool skip_special, bool at_start)
    : tokenizer_(tokenizer), skip_special_(skip_special) {
  const TokenizerData& data = tokenizer.data();
  at_start_ = at_start && data.kind == TokenizerKind::kSentencePiece && data.add_space_prefix;
}

std::string TokenStream::push(TokenId id) {
  std::string_view part = tokenizer_.piece(id);
  if (skip_special_ && tokenizer_.is_special(id)) return {};
  if (at_start_ && !part.empty()) {
    if (part.front() == ' ') part.remove_prefix(1);
    at_start_ = false;
  }
  pending_ += part;
  const std::size_t whole = complete_utf8_prefix(pending_);
  std::string shown = sanitize_utf8(std::string_view(pending_).substr(0, whole));
  pending_.erase(0, whole);
  return shown;
}

std::string TokenStream::finish() {
  const std::string shown = sanitize_utf8(pending_);
  pending_.clear();
  return shown;
}

}  // namespace laconic
