// SPDX-License-Identifier: Apache-2.0
// `laconic kv heads`: a table of head scores as a map of layers x KV heads, for a terminal, for
// programs, or as a picture, with the heads that stay full at a sparsity or threshold marked.
#pragma once

#include <optional>
#include <string>

#include "kv/head_set.h"

namespace CLI {
class App;
}

namespace laconic::cli {

class KvHeads {
 public:
  void declare(CLI::App& kv);
  bool chosen() const;  // whether this is the subcommand of `kv` that was typed
  int run();

 private:
  void check_picture() const;
  HeadScores load_scores() const;
  std::optional<HeadSet> choose(const HeadScores& scores) const;

  CLI::App* app_ = nullptr;
  std::string heads_;
  std::optional<std::string> sparsity_, threshold_, model_, picture_;
  bool json_ = false;
};

}  // namespace laconic::cli
