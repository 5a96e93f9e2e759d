// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "text/unicode.h"

namespace laconic {
namespace {

// The last code point before `at`, or 0 at the start. PRECONDITION: valid UTF-8.
CodePoint before(std::string_view text, std::size_t at) {
  if (at == 0) return {0, 0};
  std::size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
  return decode_utf8(text.substr(begin, at - begin));
}

CodePoint after(std::string_view text, std::size_t at) {
  return at < text.size() ? decode_utf8(text.substr(at)) : CodePoint{0, 0};
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const CodePoint left = before(text, begin), right = after(text, end);
  return (left.length == 0 || !is_word_character(left.value)) &&
         (right.length == 0 || !is_word_character(right.value));
}

}  // namespace

AddedTokens::AddedTokens(std::vector<TokenizerData::Added> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const auto& a, const auto& b) { return a.content < b.content; });
  const auto same = [](const auto& a, const auto& b) { return a.content == b.content; };
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  if (!tokens_.empty() && tokens_.front().content.empty()) tokens_.erase(tokens_.begin());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    Range& range = by_first_byte_[static_cast<unsigned char>(tokens_[i].content[0])];
    if (range.end == 0) range.begin = i;
    range.end = i + 1;
  }
}

const TokenizerData::Added* AddedTokens::longest(std::string_view text, std::size_t at,
                                                 bool parse_special) const {
  const TokenizerData::Added* best = nullptr;
  const Range range = by_first_byte_[static_cast<unsigned char>(text[at])];
  std::size_t begin = range.begin, end = range.end;
  // [begin, end) are the tokens that agree with the text in their first `depth` bytes; the one
  // that is no longer than that comes first.
  for (std::size_t depth = 1; begin < end; ++depth) {
    const TokenizerData::Added& first = tokens_[begin];
    if (first.content.size() == depth) {
      const bool allowed = (parse_special || !first.special) &&
                           (!first.single_word || stands_alone(text, at, at + depth));
      if (allowed) best = &first;
      ++begin;
    }
    if (at + depth == text.size()) break;
    const auto next = static_cast<unsigned char>(text[at + depth]);
    const auto first_not_below = [&](unsigned byte) {
      const auto below = [&](const TokenizerData::Added& token, unsigned key) {
        return static_cast<unsigned char>(token.content[depth]) < key;
      };
      const auto from = tokens_.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto to = tokens_.begin() + static_cast<std::ptrdiff_t>(end);
      return static_cast<std::size_t>(std::lower_bound(from, to, byte, below) - tokens_.begin());
    };
    end = first_not_below(next + 1u);
    begin = first_not_below(next);
  }
  return best;
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text,
                                                     bool parse_special) const {
  std::vector<Segment> segments;
  std::size_t done = 0;  // everything before it is in `segments`
  for (std::size_t at = 0; at < text.size();) {
    const TokenizerData::Added* token = longest(text, at, parse_special);
    if (!token) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    while (token->lstrip && begin > done) {
      const CodePoint point = before(text, begin);
      if (!is_white_space(point.value)) break;
      begin -= point.length;
    }
    while (token->rstrip && end < text.size()) {
      const CodePoint point = after(text, end);
      if (!is_white_space(point.value)) break;
      end += point.length;
    }
    if (begin > done) segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token->id});
    at = done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), -1});
  return segments;
}

TokenId AddedTokens::find(std::string_view content) const {
  const auto found = std::lower_bound(
      tokens_.begin(), tokens_.end(), content,
      [](const TokenizerData::Added& token, std::string_view key) { return token.content < key; });
  return found != tokens_.end() && found->content == content ? found->id : -1;
}

}  // namespace laconic
