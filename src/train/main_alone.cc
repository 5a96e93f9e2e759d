// SPDX-License-Identifier: Apache-2.0
// The `laconic-train` tool alone (LACONIC_TRAIN_ONLY), for a machine with libtorch and little else:
// texts come from shards, and nothing is decoded.
#include <memory>
#include <vector>

#include "base/error.h"
#include "train/shard_source.h"
#include "train/tool.h"

namespace laconic::train {
namespace {

std::unique_ptr<TextSource> shards_of(const Recipe& recipe) {
  if (recipe.data.kind != DataKind::kShards) {
    throw_usage(
        "{}: this laconic-train was built alone and makes no problems: \"data.source\" must be "
        "\"shards\", which `laconic-train shards` of a whole build writes",
        recipe.file.string());
  }
  return std::make_unique<ShardSource>(recipe.data.files);
}

}  // namespace
}  // namespace laconic::train

int main(int argc, char** argv) {
  using namespace laconic::train;
  std::vector<std::unique_ptr<TrainCommand>> commands;
  commands.push_back(make_pretrain_command({shards_of, {}}));
  return run_tool(argc, argv, commands);
}
