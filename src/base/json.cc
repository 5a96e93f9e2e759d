// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

namespace laconic {
namespace {

// Whether brackets outside of texts nest deeper than is allowed; also of what is no JSON.
bool too_deep(std::string_view text) {
  std::size_t level = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++level > kMostJsonLevels) return true;
    } else if ((c == ']' || c == '}') && level > 0) {
      --level;
    }
  }
  return false;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) {
  if (too_deep(text)) {
    throw_input("{}: its JSON nests deeper than {} levels, which are allowed", where,
                kMostJsonLevels);
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& failure) {
    throw_input("{}: not valid JSON near byte {}", where, failure.byte);
  } catch (const nlohmann::json::exception& failure) {
    throw_input("{}: not valid JSON ({})", where, failure.what());
  }
}

}  // namespace laconic
