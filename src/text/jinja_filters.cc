// SPDX-License-Identifier: Apache-2.0
// Filters on single values; those on lists are in jinja_filters_sequence.cc.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "text/jinja_filters.h"
#include "text/jinja_text.h"

namespace laconic::jinja {
namespace {

template <std::string (*function)(std::string_view)>
Value filter_text(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("this filter", arguments, {});
  const std::string text = to_text(budget, input);
  budget.bytes(4 * text.size());
  return make_string(budget, function(text));
}

std::string as_is(std::string_view text) { return std::string(text); }

// The filters safe and escape. What is safe already stays as it is.
template <std::string (*function)(std::string_view)>
Value filter_markup(Budget& budget, const Value& input, const Arguments& arguments) {
  if (input.is<Markup>()) return input;
  const Value text = filter_text<function>(budget, input, arguments);
  return Value(Markup{*text.get_if<StringPtr>()});
}

Value filter_trim(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  const std::string text = to_text(budget, input);
  std::optional<std::string_view> chars;
  if (bound[0] && !bound[0]->is<None>()) chars = bound.string(0);
  return make_string(budget, std::string(strip(text, chars, {})));
}

Value filter_replace(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"}, 2);
  const std::string text = to_text(budget, input);
  const std::string from = to_text(budget, *bound[0]), to = to_text(budget, *bound[1]);
  const bool all = !bound[2] || bound[2]->is<None>();
  budget.bytes(count_occurrences(text, from), to.size());
  return make_string(budget, replace(text, from, to, all ? -1 : bound.integer(2, -1)));
}

Value filter_indent(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  const std::string* given = bound[0] ? bound[0]->string() : nullptr;
  const std::int64_t width = given ? 0 : std::max<std::int64_t>(bound.integer(0, 4), 0);
  budget.bytes(static_cast<std::size_t>(width));
  const std::string space = given ? *given : std::string(static_cast<std::size_t>(width), ' ');
  const std::string* source = input.string();
  if (!source) fail("indent needs a string, not a {}", type_name(input));
  const std::string text = *source + "\n";  // then the end of the text ends a line
  const auto lines = split_lines(text);
  budget.bytes(lines.size() + 1, space.size() + 1);
  std::string out = bound.flag(1, false) ? space : std::string();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      out += '\n';
      if (bound.flag(2, false) || !lines[i].empty()) out += space;
    }
    out += lines[i];
  }
  return make_string(budget, std::move(out));
}

Value filter_default(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool use = input.is<Undefined>() || (bound.flag(1, false) && !truth(input));
  if (!use) return input;
  return bound[0] ? *bound[0] : make_string(budget, {});
}

Value filter_length(Budget&, const Value& input, const Arguments& arguments) {
  const Bound bound("length", arguments, {});
  return Value(static_cast<std::int64_t>(length(input)));
}

// int(value) of Python for a float; nothing when it has no integer.
std::optional<std::int64_t> truncate(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9223372036854775808.0) fail("the number does not fit into 64 bits");
  return static_cast<std::int64_t>(value);
}

void refuse_undefined(const Value& value) {
  if (const auto* undefined = value.get_if<Undefined>()) {
    fail("{}", undefined->what ? *undefined->what : "a value is undefined");
  }
}

Value filter_int(Budget&, const Value& input, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  if (bound.integer(1, 10) != 10) fail("int supports base 10 only");
  refuse_undefined(input);
  const Value fallback = bound[0] ? *bound[0] : Value(std::int64_t{0});
  if (const auto number = as_integer(input)) return Value(*number);
  if (const auto* real = input.get_if<double>()) {
    const auto whole = truncate(*real);
    return whole ? Value(*whole) : fallback;
  }
  if (const std::string* text = input.string()) {
    if (const auto number = parse_integer(*text)) return Value(*number);
    if (const auto real = parse_float(*text)) {
      if (const auto whole = truncate(*real)) return Value(*whole);
    }
  }
  return fallback;
}

Value filter_float(Budget&, const Value& input, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  refuse_undefined(input);
  if (const auto number = as_number(input)) return Value(*number);
  if (const std::string* text = input.string()) {
    if (const auto real = parse_float(*text)) return Value(*real);
  }
  return bound[0] ? *bound[0] : Value(0.0);
}

Value filter_abs(Budget&, const Value& input, const Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  if (const auto* real = input.get_if<double>()) return Value(std::abs(*real));
  const auto number = as_integer(input);
  if (!number) fail("abs needs a number, not a {}", type_name(input));
  if (*number == INT64_MIN) fail("the result of abs does not fit into 64 bits");
  return Value(std::abs(*number));
}

Value filter_round(Budget&, const Value& input, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::int64_t digits = bound.integer(0, 0);
  const std::string method = bound[1] ? bound.string(1) : "common";
  const auto number = as_number(input);
  if (!number) fail("round needs a number, not a {}", type_name(input));
  if (digits < 0 || digits > 300) fail("round supports a precision of 0 to 300, not {}", digits);
  if (method == "ceil" || method == "floor") {
    const double scale = std::pow(10.0, static_cast<double>(digits));
    const double scaled = *number * scale;
    if (!std::isfinite(scaled)) fail("{} cannot be rounded", float_repr(*number));
    return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
  }
  if (method != "common") fail("round knows common, ceil and floor, not \"{}\"", method);
  if (const auto whole = as_integer(input)) return Value(*whole);
  if (!std::isfinite(*number)) return input;
  // printf rounds the exact value, halves to even, as Python does.
  char text[700];
  std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), *number);
  return Value(std::strtod(text, nullptr));
}

Value filter_tojson(Budget& budget, const Value& input, const Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  if (bound.flag(0, false)) fail("tojson with ensure_ascii is not supported");
  const bool one_line = !bound[1] || bound[1]->is<None>();
  std::string indent;
  if (!one_line) {
    if (const std::string* text = bound[1]->string()) {
      indent = *text;
    } else {
      const std::int64_t width = bound.integer(1, 0);
      if (width > 1000) fail("tojson supports an indent of at most 1000, not {}", width);
      indent.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
  }
  std::string between = one_line ? ", " : ",", colon = ": ";
  if (bound[2] && !bound[2]->is<None>()) {
    const Sequence* pair = bound[2]->sequence();
    if (!pair || pair->items.size() != 2 || !pair->items[0].string() || !pair->items[1].string()) {
      fail("tojson needs two strings as separators");
    }
    between = *pair->items[0].string();
    colon = *pair->items[1].string();
  }
  return make_string(budget, to_json(budget, input, one_line ? nullptr : &indent, between, colon,
                                     bound.flag(3, false)));
}

}  // namespace

FilterFunction find_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, FilterFunction> kFilters[] = {
      {"upper", filter_text<upper>},
      {"lower", filter_text<lower>},
      {"capitalize", filter_text<capitalize>},
      {"title", filter_text<title_words>},
      {"escape", filter_markup<escape_html>},
      {"e", filter_markup<escape_html>},
      {"string", filter_text<as_is>},
      {"safe", filter_markup<as_is>},
      {"trim", filter_trim},
      {"replace", filter_replace},
      {"indent", filter_indent},
      {"default", filter_default},
      {"d", filter_default},
      {"length", filter_length},
      {"count", filter_length},
      {"int", filter_int},
      {"float", filter_float},
      {"abs", filter_abs},
      {"round", filter_round},
      {"tojson", filter_tojson},
  };
  for (const auto& [known, function] : kFilters) {
    if (known == name) return function;
  }
  return find_sequence_filter(name);
}

}  // namespace laconic::jinja
