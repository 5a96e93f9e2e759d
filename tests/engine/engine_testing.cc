// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_testing.h"

#include <unistd.h>

namespace laconic::test {

namespace {

struct Tiny {
  Model model;
  Checkpoint checkpoint;
};

const Tiny& tiny() {
  static const Tiny tiny = [] {
    const auto path = std::filesystem::temp_directory_path() /
                      ("laconic.tiny." + std::to_string(::getpid()) + ".gguf");
    make_random_model(known_model("tiny"), path, DType::kF32, {}, /*seed=*/7);
    Tiny opened{Model::open(path), Checkpoint::open(path)};
    std::filesystem::remove(path);  // the mappings stay
    return opened;
  }();
  return tiny;
}

}  // namespace

const Model& tiny_model() { return tiny().model; }
const Checkpoint& tiny_checkpoint() { return tiny().checkpoint; }

}  // namespace laconic::test
