// SPDX-License-Identifier: Apache-2.0
#include "io/printable.h"

#include "base/utf8.h"

namespace laconic {

std::string printable(std::string_view name) {
  constexpr std::size_t kLongest = 100;  // bytes; names of real tensors stay below 80
  std::string out = "\"";
  for (const char c :
       sanitize_utf8(name.substr(0, complete_utf8_prefix(name.substr(0, kLongest))))) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
  }
  out += name.size() > kLongest ? "...\"" : "\"";
  return out;
}

}  // namespace laconic
