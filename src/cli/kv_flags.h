// SPDX-License-Identifier: Apache-2.0
// The --kv-* flags. They are collected as typed and handed to KvOptions::parse, so that a flag that
// the chosen policy does not have is refused instead of ignored.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "laconic/kv_options.h"

namespace CLI {
class App;
}

namespace laconic::cli {

enum class KvFlagSet {
  kCache,  // a cache of a model: --kv-interval, --kv-type, ...
  // A policy alone, for one choice among given rows: --interval too. No element type, since tensors
  // are read as f32, and nothing that only a cache at work has.
  kReplay,
};

class KvFlags {
 public:
  void declare(CLI::App& app, KvFlagSet set = KvFlagSet::kCache);
  KvOptions options() const;
  bool given() const;  // whether any of the flags was typed

 private:
  std::optional<std::string> policy_;
  std::map<std::string, std::string> given_;  // by name without "--kv-"
};

// The options that the policy has, numbers as numbers.
Json kv_options_json(const KvOptions& options);

}  // namespace laconic::cli
