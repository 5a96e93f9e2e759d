// SPDX-License-Identifier: Apache-2.0
// Option values that are more than one number: sizes in bytes, lists of counts, lists of token ids.
// Each names its flag, the value and what is allowed in an Error(kUsage).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laconic::cli {

// "4G", "512M", "1.5GiB", "65536": powers of 1024. Zero is refused.
std::size_t parse_size(std::string_view text, std::string_view flag);

// "0,8192". At least one, none negative.
std::vector<std::size_t> parse_counts(std::string_view text, std::string_view flag);

// "1,2,3" or the JSON list "[1, 2, 3]"; an empty list is allowed in the JSON form.
std::vector<std::int32_t> parse_ids(std::string_view text, std::string_view flag);

// 1610612736 -> "1.5 GiB".
std::string readable_bytes(double bytes);

// All of a file or pipe, or of stdin for "-". Error(kInput) when it cannot be read.
std::string read_text(const std::string& path);

// The same without one line break at its end, which an editor put there and nobody meant as text.
std::string read_prompt_text(const std::string& path);

// Error(kInput) when the folder that `path` would be written to does not exist.
void require_parent_folder(const std::string& path, std::string_view flag);

}  // namespace laconic::cli
