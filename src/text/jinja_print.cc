// SPDX-License-Identifier: Apache-2.0
// The part of jinja_value.h that turns values into text as Python's str() and repr() do.
#include "text/jinja_text.h"
#include "text/jinja_value.h"

namespace laconic::jinja {
namespace {

void append_repr(Budget& budget, std::string& out, const Value& value);

// open item, item, ... close
void append_items(Budget& budget, std::string& out, const std::vector<Value>& items,
                  std::string_view open, std::string_view close) {
  out += open;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(budget, out, items[i]);
  }
  out += close;
}

void append_sequence(Budget& budget, std::string& out, const Sequence& sequence) {
  switch (sequence.kind) {
    case SequenceKind::kList:
      return append_items(budget, out, sequence.items, "[", "]");
    case SequenceKind::kTuple:
      return append_items(budget, out, sequence.items, "(",
                          sequence.items.size() == 1 ? ",)" : ")");
    case SequenceKind::kKeys:
      return append_items(budget, out, sequence.items, "dict_keys([", "])");
    case SequenceKind::kValues:
      return append_items(budget, out, sequence.items, "dict_values([", "])");
    case SequenceKind::kItems:
      return append_items(budget, out, sequence.items, "dict_items([", "])");
    case SequenceKind::kRange:
    case SequenceKind::kGenerator:
      break;
  }
  fail("a {} cannot be printed; make it a list first",
       sequence.kind == SequenceKind::kRange ? "range" : "generator");
}

void append_repr(Budget& budget, std::string& out, const Value& value) {
  budget.step();
  const std::size_t before = out.size();
  if (const std::string* text = value.string()) {
    out += string_repr(*text);
  } else if (const Sequence* sequence = value.sequence()) {
    return append_sequence(budget, out, *sequence);
  } else if (const Dict* dict = value.dict()) {
    out += '{';
    for (std::size_t i = 0; i < dict->items.size(); ++i) {
      if (i > 0) out += ", ";
      append_repr(budget, out, dict->items[i].first);
      out += ": ";
      append_repr(budget, out, dict->items[i].second);
    }
    out += '}';
    return;
  } else if (value.is<None>()) {
    out += "None";
  } else if (value.is<Undefined>()) {
    out += "Undefined";
  } else if (const auto* flag = value.get_if<bool>()) {
    out += *flag ? "True" : "False";
  } else if (const auto* number = value.get_if<std::int64_t>()) {
    out += std::to_string(*number);
  } else if (const auto* real = value.get_if<double>()) {
    out += float_repr(*real);
  } else if (value.is<Markup>()) {
    fail("a safe string can only be printed");
  } else {
    fail("a {} cannot be printed", type_name(value));
  }
  budget.bytes(out.size() - before);
}

}  // namespace

std::string repr(Budget& budget, const Value& value) {
  std::string out;
  append_repr(budget, out, value);
  return out;
}

std::string to_text(Budget& budget, const Value& value) {
  if (const std::string* text = value.string()) return *text;
  if (value.is<Undefined>()) return {};
  return repr(budget, value);
}

}  // namespace laconic::jinja
