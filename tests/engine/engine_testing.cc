// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_testing.h"

#include <unistd.h>

namespace laconic::test {

const Model& tiny_model() {
  static const Model model = [] {
    const auto path = std::filesystem::temp_directory_path() /
                      ("laconic.tiny." + std::to_string(::getpid()) + ".gguf");
    make_random_model(known_model("tiny"), path, DType::kF32, {}, /*seed=*/7);
    Model opened = Model::open(path);
    std::filesystem::remove(path);  // the mapping stays
    return opened;
  }();
  return model;
}

}  // namespace laconic::test
