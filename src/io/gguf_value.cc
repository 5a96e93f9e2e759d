// SPDX-License-Identifier: Apache-2.0
#include "io/gguf_value.h"

namespace laconic {
namespace {

// Calls visit(Raw{}, Held{}) with the type in the file and the type it is held as.
template <typename Visit>
bool with_number_types(GgufType type, Visit&& visit) {
  switch (type) {
    case GgufType::kUint8:
      visit(std::uint8_t{}, std::uint64_t{});
      return true;
    case GgufType::kUint16:
      visit(std::uint16_t{}, std::uint64_t{});
      return true;
    case GgufType::kUint32:
      visit(std::uint32_t{}, std::uint64_t{});
      return true;
    case GgufType::kUint64:
      visit(std::uint64_t{}, std::uint64_t{});
      return true;
    case GgufType::kInt8:
      visit(std::int8_t{}, std::int64_t{});
      return true;
    case GgufType::kInt16:
      visit(std::int16_t{}, std::int64_t{});
      return true;
    case GgufType::kInt32:
      visit(std::int32_t{}, std::int64_t{});
      return true;
    case GgufType::kInt64:
      visit(std::int64_t{}, std::int64_t{});
      return true;
    case GgufType::kFloat32:
      visit(float{}, double{});
      return true;
    case GgufType::kFloat64:
      visit(double{}, double{});
      return true;
    case GgufType::kBool:
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return false;
}

bool read_bool(GgufCursor& cursor, std::string_view what) {
  const auto byte = cursor.read<std::uint8_t>(what);
  if (byte > 1) {
    throw_input("{}: {} is a boolean of value {}, 0 and 1 are allowed", cursor.where(), what, byte);
  }
  return byte == 1;
}

GgufValue read_array(GgufCursor& cursor, std::string_view what) {
  const auto type = static_cast<GgufType>(cursor.read<std::uint32_t>(what));
  const auto count = cursor.read<std::uint64_t>(what);
  GgufValue value;
  const bool numbers = with_number_types(type, [&](auto raw, auto held) {
    using Raw = decltype(raw);
    using Held = decltype(held);
    cursor.need(count, sizeof(Raw), what);
    std::vector<Held> items(count);
    for (Held& item : items) item = static_cast<Held>(cursor.read<Raw>(what));
    value = std::move(items);
  });
  if (numbers) return value;
  if (type == GgufType::kBool) {
    cursor.need(count, 1, what);
    std::vector<bool> items(count);
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = read_bool(cursor, what);
    return items;
  }
  if (type == GgufType::kString) {
    cursor.need(count, sizeof(std::uint64_t), what);  // an empty string is its length
    std::vector<std::string> items(count);
    for (std::string& item : items) item = cursor.string(what);
    return items;
  }
  throw_input(
      "{}: {} is an array of {}, numbers, booleans and strings are supported", cursor.where(), what,
      type == GgufType::kArray ? std::string("arrays")
                               : fmt::format("value type {}", static_cast<std::uint32_t>(type)));
}

}  // namespace

GgufValue read_gguf_value(GgufCursor& cursor, std::string_view what) {
  const auto type = static_cast<GgufType>(cursor.read<std::uint32_t>(what));
  GgufValue value;
  const bool number = with_number_types(type, [&](auto raw, auto held) {
    value = static_cast<decltype(held)>(cursor.read<decltype(raw)>(what));
  });
  if (number) return value;
  if (type == GgufType::kBool) return read_bool(cursor, what);
  if (type == GgufType::kString) return std::string(cursor.string(what));
  if (type == GgufType::kArray) return read_array(cursor, what);
  throw_input("{}: {} has value type {}, 0 to 12 are known", cursor.where(), what,
              static_cast<std::uint32_t>(type));
}

}  // namespace laconic
