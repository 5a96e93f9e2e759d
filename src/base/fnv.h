// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 64 bits (Fowler, Noll, Vo): the same on every machine, for ever. Splits of problems,
// made weights, shards and sample files depend on its values. Nothing here is cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace laconic {

class Fnv1a {
 public:
  constexpr explicit Fnv1a(std::uint64_t seed = 0) : hash_(0xcbf29ce484222325u ^ seed) {}
  constexpr void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) add_byte(static_cast<std::uint64_t>(byte));
  }
  constexpr void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
  }
  constexpr std::uint64_t value() const { return hash_; }

 private:
  constexpr void add_byte(std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3u; }
  std::uint64_t hash_;
};

constexpr std::uint64_t fnv1a(std::string_view text) {
  Fnv1a hash;
  hash.add(text);
  return hash.value();
}

}  // namespace laconic
