// SPDX-License-Identifier: Apache-2.0
// The part of jinja_text.h that needs Unicode tables.
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

constexpr char32_t kSharpS = 0xdf;

void append_upper(std::string& out, char32_t c) {
  if (c == kSharpS) {
    out += "SS";
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<std::int32_t>(c))));
  }
}

void append_lower(std::string& out, char32_t c) {
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<std::int32_t>(c))));
}

void append_title(std::string& out, char32_t c) {
  if (c == kSharpS) {
    out += "Ss";
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<std::int32_t>(c))));
  }
}

bool is_cased(char32_t c) {
  const auto category = utf8proc_category(static_cast<std::int32_t>(c));
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

// str.isprintable of one character.
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<std::int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

void append_escaped(std::string& out, char32_t c) {
  constexpr char kHex[] = "0123456789abcdef";
  const int digits = c <= 0xff ? 2 : c <= 0xffff ? 4 : 8;
  out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kHex[(c >> shift) & 0xf];
}

}  // namespace

std::string upper(std::string_view text) {
  std::string out;
  for (const char32_t c : to_code_points(text)) append_upper(out, c);
  return out;
}

std::string lower(std::string_view text) {
  std::string out;
  for (const char32_t c : to_code_points(text)) append_lower(out, c);
  return out;
}

std::string capitalize(std::string_view text) {
  std::string out;
  bool first = true;
  for (const char32_t c : to_code_points(text)) {
    first ? append_title(out, c) : append_lower(out, c);
    first = false;
  }
  return out;
}

std::string title(std::string_view text) {
  std::string out;
  bool after_cased = false;
  for (const char32_t c : to_code_points(text)) {
    after_cased ? append_lower(out, c) : append_title(out, c);
    after_cased = is_cased(c);
  }
  return out;
}

std::string title_words(std::string_view text) {
  std::string out;
  bool first = true;
  for (const char32_t c : to_code_points(text)) {
    const bool boundary =
        is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    first && !boundary ? append_upper(out, c) : append_lower(out, c);
    first = boundary;
  }
  return out;
}

std::string string_repr(std::string_view text) {
  const bool double_quotes =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  std::string out(1, quote);
  for (const char32_t c : to_code_points(text)) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\' || c == static_cast<unsigned char>(quote)) {
      out += '\\';
      out += static_cast<char>(c);
    } else if (is_printable(c)) {
      append_utf8(out, c);
    } else {
      append_escaped(out, c);
    }
  }
  return out += quote;
}

}  // namespace laconic::jinja
