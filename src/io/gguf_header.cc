// SPDX-License-Identifier: Apache-2.0
#include "io/gguf_header.h"

#include <algorithm>
#include <bit>
#include <set>

#include "base/checked.h"
#include "io/gguf_cursor.h"
#include "io/gguf_value.h"
#include "io/printable.h"

namespace laconic {
namespace {

constexpr std::uint32_t kMaxDims = 4;
// The least bytes an entry takes: what bounds the counts.
constexpr std::size_t kLeastPairBytes = 8 + 4 + 1;            // key, type, value
constexpr std::size_t kLeastTensorBytes = 8 + 4 + 8 + 4 + 8;  // name, rank, one dim, type, offset

std::uint32_t read_version(GgufCursor& cursor) {
  if (cursor.remaining() < 4 || cursor.read<std::uint32_t>("the magic") != kGgufMagic) {
    throw_input("{}: it does not begin with the letters GGUF, so it is not a GGUF file",
                cursor.where());
  }
  const auto version = cursor.read<std::uint32_t>("the version");
  if (version != 0 && (version & 0xffffu) == 0) {
    throw_input("{}: it is a big-endian GGUF file, little-endian ones are supported",
                cursor.where());
  }
  if (version != 2 && version != 3) {
    throw_input("{}: it is GGUF version {}, versions 2 and 3 are supported", cursor.where(),
                version);
  }
  return version;
}

GgufMetadata read_metadata(GgufCursor& cursor, std::uint64_t count) {
  cursor.need(count, kLeastPairBytes, "the list of metadata");
  GgufMetadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view key = cursor.string("a metadata key");
    const std::string what = "key " + printable(key);
    if (!metadata.emplace(key, read_gguf_value(cursor, what)).second) {
      throw_input("{}: {} appears twice", cursor.where(), what);
    }
  }
  return metadata;
}

// Reads one entry; `begin` is the offset as written, relative to the data.
GgufTensorInfo read_tensor_info(GgufCursor& cursor) {
  GgufTensorInfo info;
  info.name = cursor.string("a tensor's name");
  const std::string what = "the entry of tensor " + printable(info.name);
  const auto rank = cursor.read<std::uint32_t>(what);
  if (rank < 1 || rank > kMaxDims) {
    throw_input("{}: tensor {} has {} dimensions, 1 to {} are allowed", cursor.where(),
                printable(info.name), rank, kMaxDims);
  }
  info.shape.resize(rank);
  for (std::size_t& dim : info.shape) dim = cursor.read<std::uint64_t>(what);
  std::reverse(info.shape.begin(), info.shape.end());
  info.type = cursor.read<std::uint32_t>(what);
  info.begin = cursor.read<std::uint64_t>(what);
  return info;
}

std::vector<GgufTensorInfo> read_tensor_infos(GgufCursor& cursor, std::uint64_t count) {
  cursor.need(count, kLeastTensorBytes, "the list of tensors");
  std::vector<GgufTensorInfo> tensors;
  tensors.reserve(count);
  std::set<std::string, std::less<>> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    tensors.push_back(read_tensor_info(cursor));
    if (!names.insert(tensors.back().name).second) {
      throw_input("{}: tensor {} appears twice", cursor.where(), printable(tensors.back().name));
    }
  }
  return tensors;
}

std::size_t alignment_of(const GgufMetadata& metadata, std::string_view where) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return kGgufAlignment;
  const auto* value = std::get_if<std::uint64_t>(&found->second);
  // The format asks for a multiple of 8; that also aligns every element type.
  if (value == nullptr || *value < 8 || !std::has_single_bit(*value)) {
    throw_input("{}: general.alignment is {}, a power of two from 8 on is expected", where,
                value == nullptr ? "no unsigned integer" : std::to_string(*value));
  }
  return *value;
}

// Bytes of a tensor of a supported type.
std::size_t data_bytes(const GgufTensorInfo& info, DType type, std::string_view where) {
  const std::size_t columns = info.shape.back();
  if (columns % block_elements(type) != 0) {
    throw_input("{}: tensor {} has rows of {} elements, {} needs a multiple of {}", where,
                printable(info.name), columns, ggml_type_name(info.type), block_elements(type));
  }
  const std::string what = fmt::format("{}: the size of tensor {}", where, printable(info.name));
  std::size_t blocks = columns / block_elements(type);
  for (std::size_t i = 0; i + 1 < info.shape.size(); ++i) {
    blocks = checked_mul(blocks, info.shape[i], what.c_str());
  }
  return checked_mul(blocks, block_bytes(type), what.c_str());
}

// Makes the entry's offset absolute and checks that its data lie in the file.
void settle(GgufTensorInfo& info, std::size_t data_begin, std::size_t file_size,
            std::size_t alignment, std::string_view where) {
  if (info.begin % alignment != 0) {
    throw_input("{}: tensor {} is at offset {}, which is no multiple of the alignment {}", where,
                printable(info.name), info.begin, alignment);
  }
  if (const auto type = dtype_from_ggml(info.type)) info.bytes = data_bytes(info, *type, where);
  const std::size_t data_size = file_size - data_begin;
  if (info.begin > data_size || info.bytes > data_size - info.begin) {
    throw_input("{}: tensor {} has {} bytes at offset {} of a data area of {} bytes (truncated?)",
                where, printable(info.name), info.bytes, info.begin, data_size);
  }
  info.begin += data_begin;
}

void check_overlaps(std::span<const GgufTensorInfo> tensors, std::string_view where) {
  std::vector<const GgufTensorInfo*> sorted;
  sorted.reserve(tensors.size());
  for (const GgufTensorInfo& info : tensors) sorted.push_back(&info);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->bytes < b->bytes;
  });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->begin - sorted[i - 1]->begin < sorted[i - 1]->bytes) {
      throw_input("{}: the data of tensors {} and {} overlap at byte {}", where,
                  printable(sorted[i - 1]->name), printable(sorted[i]->name), sorted[i]->begin);
    }
  }
}

}  // namespace

GgufHeader parse_gguf_header(std::span<const std::byte> file, std::string_view where) {
  GgufCursor cursor(file, where);
  GgufHeader header;
  header.version = read_version(cursor);
  const auto tensor_count = cursor.read<std::uint64_t>("the number of tensors");
  const auto pair_count = cursor.read<std::uint64_t>("the number of metadata pairs");
  header.metadata = read_metadata(cursor, pair_count);
  header.tensors = read_tensor_infos(cursor, tensor_count);
  const std::size_t alignment = alignment_of(header.metadata, where);
  // Files of a vocabulary alone may end without the padding before the (absent) data.
  if (header.tensors.empty()) return header;

  const std::string what = fmt::format("{}: the place of the tensor data", where);
  const std::size_t data_begin =
      checked_add(cursor.position(), alignment - 1, what.c_str()) & ~(alignment - 1);
  if (data_begin > file.size()) {
    throw_input("{}: the tensor data should begin at byte {}, the file has {} (truncated?)", where,
                data_begin, file.size());
  }
  for (GgufTensorInfo& info : header.tensors) {
    settle(info, data_begin, file.size(), alignment, where);
  }
  check_overlaps(header.tensors, where);
  return header;
}

}  // namespace laconic
