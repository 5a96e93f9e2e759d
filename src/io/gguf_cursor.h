// SPDX-License-Identifier: Apache-2.0
// Reads little-endian values and strings off a span of foreign bytes, and never past its end.
//
// Each read names what it reads, so that a file that ends early is told apart by the place.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace laconic {

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::string_view where)
      : bytes_(bytes), where_(where) {}

  template <typename T>
  T read(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<T> && std::endian::native == std::endian::little);
    need(1, sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // A 64-bit length and that many bytes; the view points into the file.
  std::string_view string(std::string_view what) {
    const auto length = read<std::uint64_t>(what);
    need(length, 1, what);
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
    position_ += length;
    return text;
  }

  // Error(kInput) unless `count` items of at least `item_bytes` (not 0) are left.
  void need(std::uint64_t count, std::size_t item_bytes, std::string_view what) const {
    if (count > remaining() / item_bytes) {
      throw_input("{}: {} needs {} times {} bytes at byte {}, {} are left (truncated?)", where_,
                  what, count, item_bytes, position_, remaining());
    }
  }

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::string_view where() const { return where_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::string_view where_;
};

}  // namespace laconic
