// SPDX-License-Identifier: Apache-2.0
#include "engine/session_file.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/fnv.h"
#include "base/json.h"
#include "kv/sequence_state.h"

namespace laconic {
namespace {

// The numbers are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "LACSESSN";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPrefixBytes = 24;  // in front of the header
constexpr std::size_t kChecksumBytes = 8;

using RowCounts = std::vector<std::vector<std::size_t>>;  // [layer][kv_head]

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span<const T>(values));
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span<const char>(text));
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
  Fnv1a hash;
  hash.add(bytes);
  return hash.value();
}

void write_bytes(std::ostream& out, std::span<const std::byte> bytes) {
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

template <typename T>
void write_number(std::ostream& out, T value) {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof(T));
  write_bytes(out, bytes);
}

template <typename T>
T number_at(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// A stretch of a file from its front on; what is taken was promised by the sizes.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> take(std::size_t count) {
    const auto front = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return front;
  }

  template <typename T>
  std::vector<T> values(std::size_t count) {
    std::vector<T> out(count);
    const auto from = take(count * sizeof(T));
    if (count > 0) std::memcpy(out.data(), from.data(), from.size());
    return out;
  }

 private:
  std::span<const std::byte> bytes_;
};

Json header_of(const SessionOwner& owner, const SavedText& text, const SequenceCache& cache) {
  RowCounts rows(owner.shape.layers);
  for (std::size_t layer = 0; layer < owner.shape.layers; ++layer) {
    for (std::size_t h = 0; h < owner.shape.kv_heads; ++h) {
      rows[layer].push_back(cache.head(layer, h).size());
    }
  }
  Json header = owner_json(owner);
  header["note"] = text.note.size();
  header["ids"] = text.ids.size();
  header["read"] = text.read;
  header["logits"] = text.logits.size();
  header["rows"] = rows;
  return header;
}

// The header's text after everything in front of it was checked.
std::string_view header_text(std::span<const std::byte> file, const std::string& where) {
  if (file.size() < kMagic.size() || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    throw_input("{} is not a saved session: it does not begin with {}", where, kMagic);
  }
  if (file.size() < kPrefixBytes + kChecksumBytes) {
    throw_input("{} is cut short: it has {} bytes", where, file.size());
  }
  const auto version = number_at<std::uint32_t>(file, 8);
  if (version != kVersion) {
    throw_input("{}: version {} of saved sessions is not known, {} is", where, version, kVersion);
  }
  const std::size_t size = number_at<std::uint32_t>(file, 12);
  const std::size_t room = file.size() - kPrefixBytes - kChecksumBytes;
  if (size > room) {
    throw_input("{} is cut short: its header has {} bytes, {} are there", where, size, room);
  }
  const auto header = file.subspan(kPrefixBytes, size);
  if (checksum(header) != number_at<std::uint64_t>(file, 16)) {
    throw_input("{} is damaged: the checksum of its header is another", where);
  }
  return {reinterpret_cast<const char*>(header.data()), header.size()};
}

// Policies rely on it: under one schedule all full heads hold equally many rows, and so do all
// constant ones.
RowCounts row_counts(const Json& header, const std::string& where, const SessionOwner& owner,
                     std::size_t read) {
  const KvShape& shape = owner.shape;
  auto rows = json_required<RowCounts>(header, "rows", where);
  bool fits = rows.size() == shape.layers;
  for (const auto& layer : rows) fits = fits && layer.size() == shape.kv_heads;
  if (!fits) {
    throw_input("{}: \"rows\" is not of {} layers with {} KV heads", where, shape.layers,
                shape.kv_heads);
  }
  std::array<std::optional<std::size_t>, 2> of_kind;  // of constant heads, of full heads
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      const std::size_t count = rows[layer][h];
      if (count > read) throw_input("{}: a head with {} rows of {} tokens", where, count, read);
      auto& same = of_kind[owner.is_full(layer, h) ? 1 : 0];
      if (count != same.value_or(count)) {
        throw_input("{}: heads of one kind with {} and {} rows", where, *same, count);
      }
      same = count;
    }
  }
  return rows;
}

void require_ids(const SavedText& text, const std::string& where, std::size_t vocab) {
  for (const std::int32_t id : text.ids) {
    if (id >= 0 && static_cast<std::size_t>(id) < vocab) continue;
    throw_input("{}: token id {} is not in the vocabulary: 0 to {} are", where, id, vocab - 1);
  }
}

void require_positions(std::span<const std::int32_t> positions, const std::string& where,
                       std::size_t read) {
  std::int64_t last = -1;
  for (const std::int32_t position : positions) {
    if (position <= last || static_cast<std::size_t>(position) >= read) {
      throw_input("{}: a row at position {} after one at {}, in a text of {} tokens", where,
                  position, last, read);
    }
    last = position;
  }
}

void require_sums(std::span<const float> sums, const std::string& where) {
  for (const float sum : sums) {
    if (std::isfinite(sum) && sum >= 0) continue;
    throw_input("{}: a row cannot have received {} of attention", where, sum);
  }
}

}  // namespace

void write_session(std::ostream& out, const SessionOwner& owner, const SavedText& text,
                   const SequenceCache& cache) {
  // A name that is not UTF-8 must not cost the session.
  const std::string header =
      header_of(owner, text, cache).dump(-1, ' ', false, Json::error_handler_t::replace);
  write_bytes(out, bytes_of(kMagic));
  write_number(out, kVersion);
  write_number(out, static_cast<std::uint32_t>(header.size()));
  write_number(out, checksum(bytes_of(header)));
  write_bytes(out, bytes_of(header));
  Fnv1a hash;
  const auto put = [&](std::span<const std::byte> bytes) {
    hash.add(bytes);
    write_bytes(out, bytes);
  };
  put(bytes_of(text.note));
  put(bytes_of(text.ids));
  put(bytes_of(text.logits));
  for (std::size_t layer = 0; layer < owner.shape.layers; ++layer) {
    for (std::size_t h = 0; h < owner.shape.kv_heads; ++h) {
      const HeadState state = head_state(cache, layer, h);
      put(bytes_of(state.positions));
      put(bytes_of(state.received));
      put(state.keys);
      put(state.values);
    }
  }
  write_number(out, hash.value());
}

void write_session_file(const std::filesystem::path& path, const SessionOwner& owner,
                        const SavedText& text, const SequenceCache& cache) {
  write_file_atomic(path, [&](std::ostream& out) { write_session(out, owner, text, cache); });
}

SessionReader::SessionReader(std::span<const std::byte> file, std::string where,
                             const SessionOwner& owner)
    : row_bytes_(row_bytes(kv_dtype(owner.kv.type), owner.shape.head_dim)) {
  const std::string_view text = header_text(file, where);
  const Json header = parse_json(text, where);
  require_owner(header, where, owner);
  const auto note = json_required<std::size_t>(header, "note", where);
  const auto ids = json_required<std::size_t>(header, "ids", where);
  text_.read = json_required<std::size_t>(header, "read", where);
  constexpr std::size_t kMostIds = std::numeric_limits<std::int32_t>::max();
  if (ids == 0 || ids > kMostIds || text_.read > ids) {
    throw_input("{}: {} tokens were read of {}", where, text_.read, ids);
  }
  const auto logits = json_optional<std::size_t>(header, "logits", where).value_or(0);
  if (logits != 0 && (logits != owner.vocab || text_.read != ids)) {
    throw_input("{}: {} logits behind token {} of {}; there are none, or {} behind the last", where,
                logits, text_.read, ids, owner.vocab);
  }
  const RowCounts rows = row_counts(header, where, owner, text_.read);
  const std::string what = where + ": the size of its contents";
  const std::size_t numbers_of_text = ids * sizeof(std::int32_t) + logits * sizeof(float);
  std::size_t size = checked_add(note, numbers_of_text, what.c_str());
  for (std::size_t layer = 0; layer < owner.shape.layers; ++layer) {
    for (std::size_t h = 0; h < owner.shape.kv_heads; ++h) {
      Head head;
      head.rows = rows[layer][h];
      head.received = owner.sums_attention(layer, h);
      const std::size_t bytes =
          sizeof(std::int32_t) + (head.received ? sizeof(float) : 0) + 2 * row_bytes_;
      size = checked_add(size, checked_mul(head.rows, bytes, what.c_str()), what.c_str());
      heads_.push_back(head);
    }
  }
  const std::size_t before = kPrefixBytes + text.size();
  const std::size_t present = file.size() - before - kChecksumBytes;
  if (size != present) {
    throw_input("{} is {}: {} bytes of contents, its header speaks of {}", where,
                present < size ? "cut short" : "damaged", present, size);
  }
  const auto contents = file.subspan(before, size);
  if (checksum(contents) != number_at<std::uint64_t>(file, before + size)) {
    throw_input("{} is damaged: the checksum of its contents is another", where);
  }

  Cursor cursor(contents);
  const auto note_bytes = cursor.take(note);
  text_.note.assign(reinterpret_cast<const char*>(note_bytes.data()), note_bytes.size());
  text_.ids = cursor.values<std::int32_t>(ids);
  require_ids(text_, where, owner.vocab);
  text_.logits = cursor.values<float>(logits);
  for (Head& head : heads_) {
    const std::size_t numbers =
        head.rows * (sizeof(std::int32_t) + (head.received ? sizeof(float) : 0));
    head.bytes = cursor.take(numbers + head.rows * 2 * row_bytes_);
    Cursor of_head(head.bytes);
    require_positions(of_head.values<std::int32_t>(head.rows), where, text_.read);
    if (head.received) require_sums(of_head.values<float>(head.rows), where);
  }
}

std::size_t SessionReader::pages() const {
  std::size_t pages = 0;
  for (const Head& head : heads_) pages += (head.rows + kPageRows - 1) / kPageRows;
  return pages;
}

bool SessionReader::restore(SequenceCache& cache) const {
  const std::size_t kv_heads = cache.shape().kv_heads;
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    const Head& head = heads_[i];
    Cursor cursor(head.bytes);
    HeadState state;
    state.positions = cursor.values<std::int32_t>(head.rows);
    if (head.received) state.received = cursor.values<float>(head.rows);
    state.keys = cursor.values<std::byte>(head.rows * row_bytes_);
    state.values = cursor.values<std::byte>(head.rows * row_bytes_);
    if (!restore_head(cache, i / kv_heads, i % kv_heads, state)) return false;
  }
  cache.advance(text_.read);
  return true;
}

}  // namespace laconic
