// SPDX-License-Identifier: Apache-2.0
// What loading refuses.
#include "model/weights.h"

#include <gtest/gtest.h>

#include "expect_error.h"
#include "model/convert.h"
#include "test_paths.h"

namespace laconic::test {
namespace {

TEST(Weights, RefusesToBecomeATypeThatIsOnlyRead) {
  const TemporaryFolder folder;
  make_random_model(known_model("tiny"), folder / "m", DType::kF32, {}, /*seed=*/9);
  Checkpoint checkpoint = Checkpoint::open(folder / "m");
  const DType type = DType::kQ6_K;
  expect_error(ErrorKind::kUsage, "q6_k is read but not written",
               [&] { load_weights(checkpoint, &type); });
}

}  // namespace
}  // namespace laconic::test
