// SPDX-License-Identifier: Apache-2.0
// Python's string operations on UTF-8: positions are code points, whitespace is Unicode's.
//
// PRECONDITION everywhere: the text is valid UTF-8. Case mappings are the simple ones of Unicode
// (one code point to one), apart from the German sharp s.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laconic::jinja {

bool is_python_space(char32_t c);  // str.isspace of one character

std::size_t count_code_points(std::string_view text);
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

struct Trim {
  bool left = true, right = true;
};
// `chars` empty: whitespace.
std::string_view strip(std::string_view text, std::optional<std::string_view> chars, Trim sides);

// At most `limit` cuts; negative: no limit. An empty separator is a Failure.
std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t limit);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t limit);
std::vector<std::string_view> split_whitespace(std::string_view text, std::int64_t limit);
std::vector<std::string_view> split_lines(std::string_view text);

// Occurrences that do not overlap; an empty needle occurs between all characters.
std::size_t count_occurrences(std::string_view text, std::string_view needle);
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string title(std::string_view text);        // str.title
std::string title_words(std::string_view text);  // Jinja's filter of that name
std::string escape_html(std::string_view text);

std::string string_repr(std::string_view text);
std::string float_repr(double value);  // the shortest text that reads back as the same number

std::optional<std::int64_t> parse_integer(std::string_view text);  // int(text), base 10
std::optional<double> parse_float(std::string_view text);          // float(text)

}  // namespace laconic::jinja
