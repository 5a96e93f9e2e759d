// SPDX-License-Identifier: Apache-2.0
#include "eval/arm_spec.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "base/error.h"

namespace laconic {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

// "full,rpc:interval=64,window=8" -> "full", "rpc:interval=64,window=8".
std::vector<std::string> split_item(const std::string& item) {
  std::vector<std::string> arms;
  for (const std::string& piece : split(item, ',')) {
    if (piece.empty()) throw_usage("--compare '{}' has an empty part between its commas", item);
    // An option goes on with the arm before it: its '=' stands before any ':' (heads=random:3).
    const bool more = piece.find('=') < piece.find(':');
    if (!more) {
      arms.push_back(piece);
    } else if (arms.empty()) {
      throw_usage("--compare '{}' begins with an option; a policy comes first, like rpc:{}", item,
                  piece);
    } else {
      // "full,window=8" is one arm as well: the policy then says that it has no such option.
      const bool first = arms.back().find(':') == std::string::npos;
      arms.back() += (first ? ":" : ",") + piece;
    }
  }
  return arms;
}

ArmSpec parse_arm(const std::string& name, const std::string& type) {
  const std::size_t colon = name.find(':');
  std::map<std::string, std::string> options;
  if (colon != std::string::npos) {
    for (const std::string& option : split(name.substr(colon + 1), ',')) {
      const std::size_t equals = option.find('=');
      if (equals == std::string::npos || equals == 0) {
        throw_usage("--compare {}: '{}' is no option, which is NAME=VALUE", name, option);
      }
      if (!options.emplace(option.substr(0, equals), option.substr(equals + 1)).second) {
        throw_usage("--compare {}: {} is given twice", name, option.substr(0, equals));
      }
    }
  }
  if (!type.empty()) options.emplace("type", type);
  try {
    return {name, KvOptions::parse(name.substr(0, colon), options)};
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("--compare {}: {}", name, error.what()));
  }
}

bool same_cache(const KvOptions& a, const KvOptions& b) {
  return a.policy == b.policy && a.to_map() == b.to_map();
}

}  // namespace

std::vector<ArmSpec> parse_arms(std::span<const std::string> items, const std::string& type) {
  std::vector<ArmSpec> arms;
  for (const std::string& item : items) {
    for (const std::string& name : split_item(item)) {
      ArmSpec arm = parse_arm(name, type);
      for (const ArmSpec& other : arms) {
        if (!same_cache(other.kv, arm.kv)) continue;
        throw_usage("--compare {} and {} are the same cache; give each arm once", other.name, name);
      }
      arms.push_back(std::move(arm));
    }
  }
  return arms;
}

}  // namespace laconic
