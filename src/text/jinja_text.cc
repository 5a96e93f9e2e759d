// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_text.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja_limits.h"

namespace laconic::jinja {
namespace {

bool is_line_break(char32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

// The code point that ends at the end of `text`.
CodePoint last_code_point(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return decode_utf8(text.substr(at));
}

}  // namespace

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

std::size_t count_code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
  }));
}

std::u32string to_code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    out.push_back(point.value);
    text.remove_prefix(point.length);
  }
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) append_utf8(out, c);
  return out;
}

std::string_view strip(std::string_view text, std::optional<std::string_view> chars, Trim sides) {
  const std::u32string set = chars ? to_code_points(*chars) : std::u32string();
  const auto goes = [&](char32_t c) {
    return chars ? set.find(c) != std::u32string::npos : is_python_space(c);
  };
  while (sides.left && !text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (!goes(point.value)) break;
    text.remove_prefix(point.length);
  }
  while (sides.right && !text.empty()) {
    const CodePoint point = last_code_point(text);
    if (!goes(point.value)) break;
    text.remove_suffix(point.length);
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t limit) {
  if (separator.empty()) fail("split() needs a separator that is not empty");
  std::vector<std::string_view> parts;
  for (std::int64_t cuts = 0; limit < 0 || cuts < limit; ++cuts) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t limit) {
  if (separator.empty()) fail("rsplit() needs a separator that is not empty");
  std::vector<std::string_view> parts;
  for (std::int64_t cuts = 0; limit < 0 || cuts < limit; ++cuts) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_whitespace(std::string_view text, std::int64_t limit) {
  std::vector<std::string_view> parts;
  text = strip(text, std::nullopt, {true, false});
  while (!text.empty()) {
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) >= limit) {
      parts.push_back(strip(text, std::nullopt, {false, true}));
      break;
    }
    std::size_t end = 0;
    while (end < text.size()) {
      const CodePoint point = decode_utf8(text.substr(end));
      if (is_python_space(point.value)) break;
      end += point.length;
    }
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), std::nullopt, {true, false});
  }
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  std::size_t start = 0, at = 0;
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text.substr(at));
    const std::size_t end = at;
    at += point.length;
    if (!is_line_break(point.value)) continue;
    if (point.value == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(start, end - start));
    start = at;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::size_t count_occurrences(std::string_view text, std::string_view needle) {
  if (needle.empty()) return count_code_points(text) + 1;
  std::size_t count = 0;
  for (std::size_t at = text.find(needle); at != std::string_view::npos;
       at = text.find(needle, at + needle.size())) {
    ++count;
  }
  return count;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit) {
  std::string out;
  std::int64_t done = 0;
  while (limit < 0 || done < limit) {
    const std::size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    ++done;
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
    if (from.empty()) {
      if (text.empty()) return out;
      const std::size_t length = decode_utf8(text).length;
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out.append(text);
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace laconic::jinja
