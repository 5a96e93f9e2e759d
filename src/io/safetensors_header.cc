// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "io/printable.h"
#include "io/safetensors_json.h"

namespace laconic {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kLongestHeader = 100'000'000;  // the format's own limit

// Bits of one element of the types that the format names; nothing for others.
std::optional<std::size_t> element_bits(std::string_view dtype) {
  struct Known {
    std::string_view name;
    std::size_t bits;
  };
  static constexpr Known kKnown[] = {
      {"F32", 32},    {"F16", 16},    {"BF16", 16},   {"F64", 64},    {"I64", 64},
      {"I32", 32},    {"I16", 16},    {"I8", 8},      {"U64", 64},    {"U32", 32},
      {"U16", 16},    {"U8", 8},      {"BOOL", 8},    {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},      {"C64", 64},
  };
  for (const Known& known : kKnown) {
    if (known.name == dtype) return known.bits;
  }
  return std::nullopt;
}

// The JSON text; the eight bytes before it hold its length.
std::string_view header_text(std::span<const std::byte> file, std::string_view where) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian");
  if (file.size() < kLengthBytes) {
    throw_input("{}: it has {} bytes, a safetensors file has at least {}", where, file.size(),
                kLengthBytes + 2);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > kLongestHeader) {
    throw_input(
        "{}: the safetensors header claims {} bytes, at most {} are allowed (is it a safetensors "
        "file?)",
        where, length, kLongestHeader);
  }
  if (length > file.size() - kLengthBytes) {
    throw_input("{}: the safetensors header claims {} bytes, the file has {} (truncated?)", where,
                length, file.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (!text.starts_with('{')) {
    throw_input("{}: the safetensors header does not begin with an opening brace", where);
  }
  return text;
}

// Makes the entry's offsets absolute and checks them and the shape.
void settle(SafetensorsEntry& entry, std::size_t data_begin, std::size_t file_size,
            std::string_view where) {
  const std::size_t data_size = file_size - data_begin;
  if (entry.begin > entry.end || entry.end > data_size) {
    throw_input("{}: tensor {} claims bytes {} to {} of a data area of {} bytes (truncated?)",
                where, printable(entry.name), entry.begin, entry.end, data_size);
  }
  const std::size_t bytes = entry.end - entry.begin;
  entry.begin += data_begin;
  entry.end += data_begin;
  const std::optional<std::size_t> bits = element_bits(entry.dtype);
  if (!bits) return;
  const std::string what = fmt::format("{}: the size of tensor {}", where, printable(entry.name));
  std::size_t elements = 1;
  for (const std::size_t dim : entry.shape) elements = checked_mul(elements, dim, what.c_str());
  const std::size_t all_bits = checked_mul(elements, *bits, what.c_str());
  if (all_bits % 8 != 0 || all_bits / 8 != bytes) {
    throw_input("{}: tensor {} has {} elements of {}, its {} bytes of data do not match", where,
                printable(entry.name), elements, entry.dtype, bytes);
  }
}

// The tensors must cover the data exactly: sorted by place, each begins where the last one ended.
void check_cover(std::span<const SafetensorsEntry> entries, std::size_t data_begin,
                 std::size_t file_size, std::string_view where) {
  std::vector<const SafetensorsEntry*> sorted;
  sorted.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  std::size_t covered = data_begin;
  for (const SafetensorsEntry* entry : sorted) {
    if (entry->begin != covered) {
      throw_input("{}: tensor {} begins at byte {}, {} at byte {}", where, printable(entry->name),
                  entry->begin,
                  entry->begin < covered ? "inside another that ends" : "after a hole that begins",
                  covered);
    }
    covered = entry->end;
  }
  if (covered != file_size) {
    throw_input("{}: {} bytes after the last tensor belong to none", where, file_size - covered);
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file,
                                           std::string_view where) {
  const std::string_view text = header_text(file, where);
  SafetensorsHeader header = parse_safetensors_json(text, where);
  const std::size_t data_begin = kLengthBytes + text.size();
  for (SafetensorsEntry& entry : header.entries) settle(entry, data_begin, file.size(), where);
  check_cover(header.entries, data_begin, file.size(), where);
  return header;
}

}  // namespace laconic
