// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors_json.h"

#include <set>
#include <utility>

#include "base/json.h"
#include "io/printable.h"

namespace laconic {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";

// The events of nlohmann's SAX interface; the method names are its own.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view where) : where_(where) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() { refuse("null"); }
  bool boolean(bool) { refuse("a boolean"); }
  bool number_integer(Json::number_integer_t) { refuse("a negative number"); }
  bool number_float(Json::number_float_t, const std::string&) {
    refuse("a number that is no 64-bit integer");
  }
  bool binary(Json::binary_t&) { refuse("binary data"); }

  bool number_unsigned(Json::number_unsigned_t value) {
    if (level_ == Level::kShape) {
      entry().shape.push_back(value);
    } else if (level_ == Level::kOffsets) {
      if (offsets_ == 2) throw_input("{}: {} has more than two numbers", where_, place());
      (offsets_ == 0 ? entry().begin : entry().end) = value;
      ++offsets_;
    } else {
      refuse("a number");
    }
    return true;
  }

  bool string(std::string& value) {
    if (level_ == Level::kMetadata) {
      if (!header_.metadata.emplace(key_, std::move(value)).second) refuse_repetition();
    } else if (level_ == Level::kTensor && key_ == "dtype") {
      entry().dtype = std::move(value);
    } else {
      refuse("a string");
    }
    return true;
  }

  bool key(std::string& key) {
    key_ = std::move(key);
    if (level_ == Level::kTop) {
      if (!names_.insert(key_).second) refuse_repetition();
    } else if (level_ == Level::kTensor) {
      mark_field();
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (level_ == Level::kDocument) {
      level_ = Level::kTop;
    } else if (level_ == Level::kTop && key_ == kMetadataKey) {
      level_ = Level::kMetadata;
    } else if (level_ == Level::kTop) {
      level_ = Level::kTensor;
      header_.entries.push_back({.name = key_, .dtype = {}, .shape = {}});
      has_dtype_ = has_shape_ = has_offsets_ = false;
      offsets_ = 0;
    } else {
      refuse("an object");
    }
    return true;
  }

  bool end_object() {
    if (level_ == Level::kTensor) finish_tensor();
    level_ = level_ == Level::kTop ? Level::kDocument : Level::kTop;
    return true;
  }

  bool start_array(std::size_t) {
    if (level_ == Level::kTensor && key_ == "shape") {
      level_ = Level::kShape;
    } else if (level_ == Level::kTensor && key_ == "data_offsets") {
      level_ = Level::kOffsets;
    } else {
      refuse("an array");
    }
    return true;
  }

  bool end_array() {
    level_ = Level::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    throw_input("{}: the safetensors header is not valid JSON near byte {}", where_, position);
  }

 private:
  enum class Level { kDocument, kTop, kMetadata, kTensor, kShape, kOffsets };

  SafetensorsEntry& entry() { return header_.entries.back(); }

  std::string place() const {
    switch (level_) {
      case Level::kDocument:
        return "the safetensors header";
      case Level::kTop:
        return fmt::format("the header's entry {}", printable(key_));
      case Level::kMetadata:
        return fmt::format("{} of __metadata__", printable(key_));
      case Level::kTensor:
      case Level::kShape:
      case Level::kOffsets:
        break;
    }
    return fmt::format("{} of tensor {}", printable(key_), printable(header_.entries.back().name));
  }

  std::string_view expected() const {
    switch (level_) {
      case Level::kDocument:
      case Level::kTop:
        return "an object";
      case Level::kMetadata:
        return "a string";
      case Level::kTensor:
        return key_ == "dtype" ? "a string" : "an array of sizes";
      case Level::kShape:
      case Level::kOffsets:
        break;
    }
    return "a size (an integer from 0 to 2^64 - 1)";
  }

  [[noreturn]] void refuse(std::string_view found) const {
    throw_input("{}: {} holds {}, {} is expected", where_, place(), found, expected());
  }

  [[noreturn]] void refuse_repetition() const {
    throw_input("{}: {} appears twice", where_, place());
  }

  void mark_field() {
    bool* const seen = key_ == "dtype"          ? &has_dtype_
                       : key_ == "shape"        ? &has_shape_
                       : key_ == "data_offsets" ? &has_offsets_
                                                : nullptr;
    if (seen == nullptr) {
      throw_input("{}: {} is unknown, a tensor has dtype, shape and data_offsets", where_, place());
    }
    if (*seen) refuse_repetition();
    *seen = true;
  }

  void finish_tensor() {
    const std::string_view missing = !has_dtype_     ? "dtype"
                                     : !has_shape_   ? "shape"
                                     : !has_offsets_ ? "data_offsets"
                                     : offsets_ != 2 ? "the end of its data_offsets"
                                                     : "";
    if (!missing.empty()) {
      throw_input("{}: tensor {} lacks {}", where_, printable(entry().name), missing);
    }
  }

  std::string_view where_;
  SafetensorsHeader header_;
  std::set<std::string> names_;
  Level level_ = Level::kDocument;
  std::string key_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  std::size_t offsets_ = 0;  // numbers of data_offsets read so far
};

}  // namespace

SafetensorsHeader parse_safetensors_json(std::string_view json, std::string_view where) {
  HeaderReader reader(where);
  Json::sax_parse(json.begin(), json.end(), &reader);
  return reader.take();
}

}  // namespace laconic
