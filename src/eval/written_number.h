// SPDX-License-Identifier: Apache-2.0
// Numbers inside plain text (eval/answer_text.h): all that there are, or the one that the text as
// a whole says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace laconic {

// In their order, as "[-]digits[.digits][/digits[.digits]]", without separators of thousands. A
// "-" after a word or a number is a difference, no sign.
std::vector<std::string> numbers_in(std::string_view text);

enum class Before { kNothing, kName };

// The number that `text` is: alone, in brackets, with a sign, with words of a unit behind it and,
// with kName, "name =" before it. Nothing for any other text around it, which would change what it
// says: "x - 3", "\sqrt{2}", "Step 4".
std::optional<std::string> number_said(std::string_view text, Before before);

}  // namespace laconic
