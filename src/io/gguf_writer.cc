// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>

#include "base/checked.h"
#include "io/gguf.h"
#include "io/gguf_value.h"
#include "io/printable.h"

namespace laconic {
namespace {

constexpr std::size_t kMostDims = 4;
constexpr std::size_t kLongestName = 63;  // ggml keeps 64 bytes with the zero

// The header as one string: it is small beside the tensors.
class Bytes {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void put_type(GgufType type) { put(static_cast<std::uint32_t>(type)); }
  void put_string(std::string_view text) {
    put(static_cast<std::uint64_t>(text.size()));
    out_.append(text);
  }
  void pad() { out_.resize((out_.size() + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment); }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
};

// The narrow type that llama.cpp reads these keys as, unless a value does not fit it.
template <typename Held>
GgufType number_type(std::span<const Held> values) {
  if constexpr (std::is_same_v<Held, double>) {
    const bool fits = std::all_of(values.begin(), values.end(), [](double v) {
      return !std::isfinite(v) || std::abs(v) <= std::numeric_limits<float>::max();
    });
    return fits ? GgufType::kFloat32 : GgufType::kFloat64;
  } else {
    using Narrow = std::conditional_t<std::is_signed_v<Held>, std::int32_t, std::uint32_t>;
    const bool fits = std::all_of(values.begin(), values.end(), [](Held v) {
      return v >= std::numeric_limits<Narrow>::min() && v <= std::numeric_limits<Narrow>::max();
    });
    if (std::is_signed_v<Held>) return fits ? GgufType::kInt32 : GgufType::kInt64;
    return fits ? GgufType::kUint32 : GgufType::kUint64;
  }
}

template <typename Held>
void put_number(Bytes& out, GgufType type, Held value) {
  switch (type) {
    case GgufType::kUint32:
      return out.put(static_cast<std::uint32_t>(value));
    case GgufType::kInt32:
      return out.put(static_cast<std::int32_t>(value));
    case GgufType::kFloat32:
      return out.put(static_cast<float>(value));
    default:
      return out.put(value);
  }
}

struct ValueWriter {
  Bytes& out;

  template <typename Held>
  void operator()(const Held& value) const {
    const GgufType type = number_type(std::span<const Held>(&value, 1));
    out.put_type(type);
    put_number(out, type, value);
  }
  template <typename Held>
  void operator()(const std::vector<Held>& values) const {
    const GgufType type = number_type(std::span<const Held>(values));
    begin_array(type, values.size());
    for (const Held value : values) put_number(out, type, value);
  }
  void operator()(const bool& value) const {
    out.put_type(GgufType::kBool);
    out.put(static_cast<std::uint8_t>(value));
  }
  void operator()(const std::vector<bool>& values) const {
    begin_array(GgufType::kBool, values.size());
    for (const bool value : values) out.put(static_cast<std::uint8_t>(value));
  }
  void operator()(const std::string& value) const {
    out.put_type(GgufType::kString);
    out.put_string(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    begin_array(GgufType::kString, values.size());
    for (const std::string& value : values) out.put_string(value);
  }

 private:
  void begin_array(GgufType type, std::size_t count) const {
    out.put_type(GgufType::kArray);
    out.put_type(type);
    out.put(static_cast<std::uint64_t>(count));
  }
};

bool describes_container(std::string_view key) {
  return key == "general.alignment" || key.starts_with("split.");
}

// Bytes of each tensor, after checking that the format can hold it.
std::vector<std::size_t> tensor_sizes(std::span<const GgufTensorPlan> tensors,
                                      std::string_view where) {
  std::vector<std::size_t> sizes;
  std::set<std::string_view> names;
  for (const GgufTensorPlan& plan : tensors) {
    const std::string name = printable(plan.name);
    if (plan.name.size() > kLongestName) {
      throw_input("cannot write {}: the tensor name {} has {} bytes, GGUF readers take {}", where,
                  name, plan.name.size(), kLongestName);
    }
    if (!names.insert(plan.name).second) {
      throw_input("cannot write {}: the tensor name {} is used twice", where, name);
    }
    if (plan.shape.empty() || plan.shape.size() > kMostDims) {
      throw_input("cannot write {}: tensor {} has {} dimensions, GGUF holds 1 to {}", where, name,
                  plan.shape.size(), kMostDims);
    }
    if (plan.shape.back() % block_elements(plan.type) != 0) {
      throw_input("cannot write {}: tensor {} has rows of {} elements, {} needs a multiple of {}",
                  where, name, plan.shape.back(), dtype_name(plan.type), block_elements(plan.type));
    }
    const std::string what = fmt::format("{}: the size of tensor {}", where, name);
    std::size_t bytes = checked_mul(plan.shape.back() / block_elements(plan.type),
                                    block_bytes(plan.type), what.c_str());
    for (std::size_t i = 0; i + 1 < plan.shape.size(); ++i) {
      bytes = checked_mul(bytes, plan.shape[i], what.c_str());
    }
    sizes.push_back(bytes);
  }
  return sizes;
}

std::size_t padding_after(std::size_t bytes) {
  return (kGgufAlignment - bytes % kGgufAlignment) % kGgufAlignment;
}

std::string header_bytes(const GgufMetadata& metadata, std::span<const GgufTensorPlan> tensors,
                         std::span<const std::size_t> sizes, const std::string& what) {
  const auto own = std::count_if(metadata.begin(), metadata.end(),
                                 [](const auto& pair) { return describes_container(pair.first); });
  Bytes out;
  out.put(kGgufMagic);
  out.put(std::uint32_t{3});
  out.put(static_cast<std::uint64_t>(tensors.size()));
  out.put(static_cast<std::uint64_t>(metadata.size()) - static_cast<std::uint64_t>(own));
  for (const auto& [key, value] : metadata) {
    if (describes_container(key)) continue;
    out.put_string(key);
    std::visit(ValueWriter{out}, value);
  }
  std::size_t offset = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const GgufTensorPlan& plan = tensors[i];
    out.put_string(plan.name);
    out.put(static_cast<std::uint32_t>(plan.shape.size()));
    for (auto dim = plan.shape.rbegin(); dim != plan.shape.rend(); ++dim) {
      out.put(static_cast<std::uint64_t>(*dim));
    }
    out.put(ggml_from_dtype(plan.type));
    out.put(static_cast<std::uint64_t>(offset));
    offset = checked_add(offset, checked_add(sizes[i], padding_after(sizes[i]), what.c_str()),
                         what.c_str());
  }
  out.pad();
  return out.text();
}

}  // namespace

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const GgufTensorPlan> tensors, const GgufProducer& produce) {
  const std::string where = path.string();
  const std::vector<std::size_t> sizes = tensor_sizes(tensors, where);
  const std::string header = header_bytes(metadata, tensors, sizes, where + ": the size");
  write_file_atomic(path, [&](std::ostream& out) {
    static constexpr char kZeros[kGgufAlignment] = {};
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (std::size_t i = 0; i < tensors.size() && out; ++i) {
      const std::vector<std::byte> bytes = produce(i);
      if (bytes.size() != sizes[i]) {
        throw_input("cannot write {}: tensor {} came with {} bytes, its shape needs {}", where,
                    printable(tensors[i].name), bytes.size(), sizes[i]);
      }
      out.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
      out.write(kZeros, static_cast<std::streamsize>(padding_after(bytes.size())));
    }
  });
}

}  // namespace laconic
