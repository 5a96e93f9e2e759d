// SPDX-License-Identifier: Apache-2.0
#include "text/byte_level.h"

#include <array>
#include <cstddef>

#include "base/utf8.h"

namespace laconic {
namespace {

constexpr char32_t kFirstShifted = 0x100;
constexpr std::size_t kCharacters = 0x144;  // one past the largest character in use

constexpr bool stands_for_itself(std::size_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

struct Tables {
  std::array<char32_t, 256> character{};     // [byte]
  std::array<short, kCharacters> byte_of{};  // [character], -1: none
};

constexpr Tables make_tables() {
  Tables tables;
  for (short& byte : tables.byte_of) byte = -1;
  char32_t next = kFirstShifted;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char32_t c = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
    tables.character[byte] = c;
    tables.byte_of[c] = static_cast<short>(byte);
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

bool append_byte_level(std::string& out, std::string_view spelling) {
  const std::size_t before = out.size();
  while (!spelling.empty()) {
    const CodePoint point = decode_utf8(spelling);
    const short byte =
        point.valid && point.value < kCharacters ? kTables.byte_of[point.value] : short{-1};
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(byte));
    spelling.remove_prefix(point.length);
  }
  return true;
}

std::string byte_level_spelling(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) append_utf8(out, kTables.character[static_cast<unsigned char>(c)]);
  return out;
}

}  // namespace laconic
