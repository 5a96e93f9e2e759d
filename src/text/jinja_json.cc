// SPDX-License-Identifier: Apache-2.0
// to_json of jinja_filters.h: JSON as Python's json module writes it.
#include <algorithm>
#include <cmath>

#include "text/jinja_filters.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

struct Writer {
  Budget& budget;
  const std::string* indent;
  std::string_view item_separator, key_separator;
  bool sort_keys;
  std::string out;

  void write(const Value& value, std::size_t level) {
    budget.step();
    const std::size_t before = out.size();
    if (const std::string* text = value.string()) {
      write_string(*text);
    } else if (const Dict* dict = value.dict()) {
      return write_dict(*dict, level);
    } else if (const Sequence* sequence = value.sequence()) {
      if (sequence->kind > SequenceKind::kTuple) fail("a {} is not JSON", type_name(value));
      return write_list(sequence->items, level);
    } else {
      out += scalar(value);
    }
    budget.bytes(out.size() - before);
  }

  static std::string scalar(const Value& value) {
    if (value.is<None>()) return "null";
    if (const auto* flag = value.get_if<bool>()) return *flag ? "true" : "false";
    if (const auto* number = value.get_if<std::int64_t>()) return std::to_string(*number);
    if (const auto* real = value.get_if<double>()) {
      if (std::isnan(*real)) return "NaN";
      if (std::isinf(*real)) return *real < 0 ? "-Infinity" : "Infinity";
      return float_repr(*real);
    }
    fail("a {} is not JSON", type_name(value));
  }

  void write_string(std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      switch (c) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\b':
          out += "\\b";
          break;
        case '\f':
          out += "\\f";
          break;
        default:
          if (byte < 0x20) {
            out.append("\\u00") += kHex[byte >> 4];
            out += kHex[byte & 0xf];
          } else {
            out += c;
          }
      }
    }
    out += '"';
  }

  void new_line(std::size_t level) {
    if (!indent) return;
    budget.bytes(level, indent->size() + 1);
    out += '\n';
    for (std::size_t i = 0; i < level; ++i) out += *indent;
  }

  void write_list(const std::vector<Value>& items, std::size_t level) {
    budget.bytes(items.size() + 1, 2);
    if (items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) separate();
      new_line(level + 1);
      write(items[i], level + 1);
    }
    new_line(level);
    out += ']';
  }

  void write_dict(const Dict& dict, std::size_t level) {
    budget.bytes(dict.items.size() + 1, 4);
    if (dict.items.empty()) {
      out += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (sort_keys) {
      std::stable_sort(items.begin(), items.end(), [&](const auto* a, const auto* b) {
        return compare(budget, a->first, b->first) < 0;
      });
    }
    out += '{';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) separate();
      new_line(level + 1);
      const Value& key = items[i]->first;
      const std::string* text = key.string();
      if (!text && key.sequence()) fail("a {} is no key in JSON", type_name(key));
      write_string(text ? *text : scalar(key));
      out += key_separator;
      write(items[i]->second, level + 1);
    }
    new_line(level);
    out += '}';
  }

  void separate() {
    budget.bytes(item_separator.size());
    out += item_separator;
  }
};

}  // namespace

std::string to_json(Budget& budget, const Value& value, const std::string* indent,
                    std::string_view item_separator, std::string_view key_separator,
                    bool sort_keys) {
  Writer writer{budget, indent, item_separator, key_separator, sort_keys, {}};
  writer.write(value, 0);
  return std::move(writer.out);
}

}  // namespace laconic::jinja
