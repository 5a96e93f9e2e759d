// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Line breaks become '\n', invalid bytes U+FFFD, and one line break at the end goes.
std::string normalize(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return sanitize_utf8(text);
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag(at_);
      if (tag == std::string::npos) {
        add_text(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      open_tag(tag);
    }
    add(TokenKind::kEnd, {});
    return std::move(tokens_);
  }

 private:
  template <typename... Args>
  [[noreturn]] void error(fmt::format_string<Args...> text, Args&&... args) {
    throw_input("chat template, line {}: {}", line_of(at_),
                fmt::format(text, std::forward<Args>(args)...));
  }

  // Positions only grow, so counting goes on from the last answer.
  std::size_t line_of(std::size_t position) {
    if (position > counted_) {
      line_ += static_cast<std::size_t>(
          std::count(source_.begin() + static_cast<std::ptrdiff_t>(counted_),
                     source_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
      counted_ = position;
    }
    return line_;
  }

  Token& add(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), 0, 0, line_of(at_)});
    return tokens_.back();
  }

  void add_text(std::string text) {
    if (text.empty()) return;
    if (!tokens_.empty() && tokens_.back().kind == TokenKind::kText) {
      tokens_.back().text += text;
    } else {
      add(TokenKind::kText, std::move(text));
    }
  }

  bool starts(std::size_t at, std::string_view text) const {
    return std::string_view(source_).substr(std::min(at, source_.size()), text.size()) == text;
  }
  char peek(std::size_t offset = 0) const {
    return at_ + offset < source_.size() ? source_[at_ + offset] : '\0';
  }

  std::size_t next_tag(std::size_t from) const {
    for (std::size_t at = source_.find('{', from); at != std::string::npos;
         at = source_.find('{', at + 1)) {
      if (starts(at, "{{") || starts(at, "{%") || starts(at, "{#")) return at;
    }
    return std::string::npos;
  }

  std::size_t skip_space(std::size_t at) const {
    while (at < source_.size()) {
      const CodePoint point = decode_utf8(std::string_view(source_).substr(at));
      if (!is_python_space(point.value)) break;
      at += point.length;
    }
    return at;
  }

  // The text before a tag, after the tag's "-" or lstrip_blocks (`strips_line`) took their part.
  std::string text_before(std::size_t tag, bool strips_line) {
    std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') return std::string(strip(text, std::nullopt, {false, true}));
    if (sign != '+' && strips_line) {
      const std::size_t line_break = text.rfind('\n');
      const std::size_t line = line_break == std::string_view::npos ? 0 : line_break + 1;
      if ((line > 0 || fresh_line_) &&
          strip(text.substr(line), std::nullopt, {true, false}).empty()) {
        text = text.substr(0, line);
      }
    }
    return std::string(text);
  }

  void open_tag(std::size_t tag) {
    const char type = source_[tag + 1];
    add_text(text_before(tag, type != '{'));
    at_ = tag + 2;
    if (peek() == '-' || peek() == '+') ++at_;
    if (type == '#') return skip_comment();
    if (type == '%' && raw_block()) return;
    fresh_line_ = false;
    add(type == '%' ? TokenKind::kBlockBegin : TokenKind::kPrintBegin, {});
    while (!close_tag(type)) read_token();
  }

  // After the closing characters: "-" takes all whitespace, otherwise a block's line break goes.
  void after_tag(bool minus, bool trims) {
    if (minus) {
      at_ = skip_space(at_);
    } else if (trims && peek() == '\n') {
      ++at_;
    }
    fresh_line_ = source_[at_ - 1] == '\n';
  }

  void skip_comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string::npos) error("a comment is not closed");
    const bool has_sign = end > at_ && (source_[end - 1] == '-' || source_[end - 1] == '+');
    const bool minus = has_sign && source_[end - 1] == '-';
    const bool plus = has_sign && !minus;
    at_ = end + 2;
    after_tag(minus, !plus);
  }

  // {% raw %} ... {% endraw %} when one stands here.
  bool raw_block() {
    std::size_t at = skip_space(at_);
    if (!starts(at, "raw")) return false;
    at = skip_space(at + 3);
    const bool minus = starts(at, "-%}");
    if (!minus && !starts(at, "%}")) return false;
    at_ = at + (minus ? 3 : 2);
    after_tag(minus, false);
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      std::size_t end = tag + 2;
      if (starts(end, "-") || starts(end, "+")) ++end;
      end = skip_space(end);
      if (!starts(end, "endraw")) continue;
      end = skip_space(end + 6);
      const bool signs = starts(end, "-%}") || starts(end, "+%}");
      if (!signs && !starts(end, "%}")) continue;
      add_text(text_before(tag, true));
      const char sign = signs ? source_[end] : '\0';
      at_ = end + (signs ? 3 : 2);
      after_tag(sign == '-', sign != '+');
      return true;
    }
    error("a raw block is not closed");
  }

  bool close_tag(char type) {
    at_ = skip_space(at_);
    if (at_ >= source_.size()) error("a tag is not closed");
    if (!brackets_.empty()) return false;
    const std::string_view end = type == '%' ? "%}" : "}}";
    const bool minus = peek() == '-' && starts(at_ + 1, end);
    const bool plus = type == '%' && peek() == '+' && starts(at_ + 1, end);
    if (!minus && !plus && !starts(at_, end)) return false;
    add(type == '%' ? TokenKind::kBlockEnd : TokenKind::kPrintEnd, {});
    at_ += minus || plus ? 3 : 2;
    after_tag(minus, type == '%' && !plus);
    return true;
  }

  void read_token() {
    const char c = peek();
    if (is_digit(c)) {
      read_number();
    } else if (is_name_start(c)) {
      std::size_t size = 1;
      while (is_name_start(peek(size)) || is_digit(peek(size))) ++size;
      add(TokenKind::kName, source_.substr(at_, size));
      at_ += size;
    } else if (c == '\'' || c == '"') {
      read_string(c);
    } else {
      read_operator();
    }
  }

  void read_operator() {
    constexpr std::array<std::string_view, 6> kDouble = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,";
    for (const std::string_view op : kDouble) {
      if (starts(at_, op)) {
        add(TokenKind::kOperator, std::string(op));
        at_ += op.size();
        return;
      }
    }
    const char c = peek();
    if (kSingle.find(c) == std::string_view::npos) {
      const std::size_t size = decode_utf8(std::string_view(source_).substr(at_)).length;
      error("unexpected character {}", string_repr(source_.substr(at_, size)));
    }
    if (c == '(' || c == '[' || c == '{') brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty() || brackets_.back() != c) error("unexpected \"{}\"", c);
      brackets_.pop_back();
    }
    add(TokenKind::kOperator, std::string(1, c));
    ++at_;
  }

  void read_number() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // x.0.1: two items, not a float
    const auto digits = [&](std::size_t from) {
      std::size_t end = from;
      while (is_digit(peek(end)) || (peek(end) == '_' && end > from && is_digit(peek(end + 1))))
        ++end;
      return end;
    };
    const bool other_base =
        peek() == '0' && std::string_view("xXoObB").find(peek(1)) != std::string_view::npos;
    if (other_base && peek(1) != '\0') error("only decimal numbers are supported");
    const std::size_t whole = digits(0);
    std::size_t end = whole;
    if (!after_dot) {
      if (peek(end) == '.' && is_digit(peek(end + 1))) end = digits(end + 1);
      if (peek(end) == 'e' || peek(end) == 'E') {
        const std::size_t sign = peek(end + 1) == '+' || peek(end + 1) == '-' ? 1 : 0;
        if (is_digit(peek(end + 1 + sign))) end = digits(end + 1 + sign);
      }
    }
    std::string text = source_.substr(at_, end);
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    Token& token = add(end > whole ? TokenKind::kFloat : TokenKind::kInteger, text);
    if (end > whole) {
      token.real = std::strtod(text.c_str(), nullptr);
    } else {
      if (text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != std::string::npos) {
        error("the number {} begins with 0", text);
      }
      const auto result = std::from_chars(text.data(), text.data() + text.size(), token.integer);
      if (result.ec != std::errc()) error("the number {} does not fit into 64 bits", text);
    }
    at_ += end;
  }

  void read_string(char quote) {
    std::string text;
    std::size_t at = at_ + 1;
    while (true) {
      if (at >= source_.size()) error("a string is not closed");
      const char c = source_[at];
      if (c == quote) break;
      if (c == '\\') {
        at = read_escape(at + 1, text);
      } else {
        text += c;
        ++at;
      }
    }
    add(TokenKind::kString, std::move(text));
    at_ = at + 1;
  }

  // One escape of a Python string, `at` after its backslash; returns where the text goes on.
  std::size_t read_escape(std::size_t at, std::string& text) {
    const char c = at < source_.size() ? source_[at] : '\0';
    constexpr std::string_view kNames = "nrtabfv\\'\"";
    constexpr std::string_view kMeaning = "\n\r\t\a\b\f\v\\'\"";
    const std::size_t simple = kNames.find(c);
    if (simple != std::string_view::npos) {
      text += kMeaning[simple];
      return at + 1;
    }
    if (c == '\n') return at + 1;  // a continued line
    if (c == 'x') return read_code(at + 1, 2, text);
    if (c == 'u') return read_code(at + 1, 4, text);
    if (c == 'U') return read_code(at + 1, 8, text);
    if ((c >= '0' && c <= '7') || c == 'N' || static_cast<unsigned char>(c) >= 0x80) {
      error("octal, named and non-ASCII escapes in a string are not supported");
    }
    text += '\\';  // an unknown escape stays as it is
    return at;
  }

  std::size_t read_code(std::size_t at, std::size_t digits, std::string& text) {
    std::uint32_t code = 0;
    const char* first = source_.data() + std::min(at, source_.size());
    const char* last = source_.data() + std::min(at + digits, source_.size());
    const auto result = std::from_chars(first, last, code, 16);
    if (result.ptr != first + digits || result.ec != std::errc()) {
      error("an escape in a string needs {} hexadecimal digits", digits);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      error("an escape in a string names no character: {:x}", code);
    }
    append_utf8(text, code);
    return at + digits;
  }

  const std::string source_;
  std::size_t at_ = 0;
  std::size_t counted_ = 0, line_ = 1;
  bool fresh_line_ = true;  // what came before ended a line, or nothing came before
  std::string brackets_;    // the closing brackets that are due
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalize(source)).run(); }

}  // namespace laconic::jinja
