// SPDX-License-Identifier: Apache-2.0
// Answers as models spell them, in TeX or with typographic signs, made plain: what says nothing
// about the value goes, what does becomes ASCII.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace laconic {

std::string_view trimmed(std::string_view text);

// Index after the brace that closes the one at `open`; npos when none does.
std::size_t after_group(std::string_view text, std::size_t open);

// What stands between the braces at `open` and before `end`, as after_group() gives it.
std::string_view inside_group(std::string_view text, std::size_t open, std::size_t end);

// Without currency and percent signs, degrees and TeX spacing; minus signs of typesetters as "-";
// fractions as "a/b", mixed numbers included: 2\frac{1}{2} is 5/2.
std::string plain_answer(std::string_view text);

// \text{...} and its like: what names something goes, what holds a number loses the wrapping.
std::string without_text_groups(std::string_view text);

}  // namespace laconic
