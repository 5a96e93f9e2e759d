// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>

#include "base/checked.h"
#include "base/json.h"
#include "io/printable.h"
#include "io/safetensors.h"

namespace laconic {
namespace {

std::string_view dtype_text(const TensorView& tensor, std::string_view where) {
  switch (tensor.type) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      break;
  }
  throw_input("cannot write {}: safetensors has no type for tensor {} ({})", where,
              printable(tensor.name), dtype_name(tensor.type));
}

void check(std::span<const TensorView> tensors, std::string_view where) {
  std::set<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second) {
      throw_input("cannot write {}: the tensor name {} is {}", where, printable(tensor.name),
                  tensor.name == "__metadata__" ? "reserved" : "used twice");
    }
    dtype_text(tensor, where);  // refuses block types
    const std::string what =
        fmt::format("{}: the size of tensor {}", where, printable(tensor.name));
    std::size_t bytes = block_bytes(tensor.type);
    for (const std::size_t dim : tensor.shape) bytes = checked_mul(bytes, dim, what.c_str());
    if (bytes != tensor.bytes.size()) {
      throw_input("cannot write {}: tensor {} has {} bytes, its shape needs {}", where,
                  printable(tensor.name), tensor.bytes.size(), bytes);
    }
  }
}

std::string json_string(const std::string& text, std::string_view where) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    throw_input("cannot write {}: {} is not valid UTF-8", where, printable(text));
  }
}

// Padding between tensors is not allowed in this format: laying wide elements out first keeps each
// tensor aligned. Indices in the order of the data.
std::vector<std::size_t> data_order(std::span<const TensorView> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return block_bytes(tensors[a].type) > block_bytes(tensors[b].type);
  });
  return order;
}

std::string header_json(std::span<const TensorView> tensors, std::span<const std::size_t> order,
                        const std::map<std::string, std::string>& metadata,
                        std::string_view where) {
  std::vector<std::size_t> begins(tensors.size());
  std::size_t place = 0;
  for (const std::size_t i : order) {
    begins[i] = place;
    place += tensors[i].bytes.size();
  }
  std::vector<std::string> entries;
  if (!metadata.empty()) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : metadata) {
      pairs.push_back(json_string(key, where) + ":" + json_string(value, where));
    }
    entries.push_back(fmt::format("\"__metadata__\":{{{}}}", fmt::join(pairs, ",")));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    entries.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                  json_string(tensors[i].name, where),
                                  dtype_text(tensors[i], where), fmt::join(tensors[i].shape, ","),
                                  begins[i], begins[i] + tensors[i].bytes.size()));
  }
  std::string header = fmt::format("{{{}}}", fmt::join(entries, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check(tensors, path.string());
  const std::vector<std::size_t> order = data_order(tensors);
  const std::string header = header_json(tensors, order, metadata, path.string());
  write_file_atomic(path, [&](std::ostream& out) {
    const std::uint64_t length = header.size();
    out.write(reinterpret_cast<const char*>(&length), sizeof(length));
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const std::size_t i : order) {
      const auto bytes = tensors[i].bytes;
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
    }
  });
}

}  // namespace laconic
