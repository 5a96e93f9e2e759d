// SPDX-License-Identifier: Apache-2.0
// The final answer in a generated text, and whether it is the right number.
//
// Graded is what stands after the first </think>, where there is one, else the whole text: an
// answer that was cut off inside its reasoning still gives its last number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace laconic {

// The part of a generated text that is graded.
std::string_view graded_part(std::string_view text);

// The number that the last line with "####" says: it stands right after the mark, with at most a
// unit behind it. Nothing for a heading such as "#### Step 4".
std::optional<std::string> marked_answer(std::string_view text);

// What is inside the last complete \boxed{}, else marked_answer(), else the last number of the
// text; as written, without separators of thousands, currency signs and spaces around it, mixed
// numbers as fractions. A box that says one number ("42 apples", "x = 42", "-(5)") gives that one,
// any other its text.
std::optional<std::string> extract_answer(std::string_view text);

// Whether `text` is one number as same_answer() reads it.
bool is_number(std::string_view text);

// The same number: exact for integers and decimals of any length ("18", "18.0", "+18"), fractions
// "a/b" included. Texts that are not numbers are equal when their trimmed characters are.
bool same_answer(std::string_view answer, std::string_view gold);

}  // namespace laconic
