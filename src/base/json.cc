// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

namespace laconic {

Json parse_json(std::string_view text, std::string_view where) {
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::parse_error& failure) {
    throw_input("{}: not valid JSON near byte {}", where, failure.byte);
  } catch (const nlohmann::json::exception& failure) {
    throw_input("{}: not valid JSON ({})", where, failure.what());
  }
}

}  // namespace laconic
