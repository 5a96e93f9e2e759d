// SPDX-License-Identifier: Apache-2.0
#include "kernels/residual.h"

#include <algorithm>
#include <atomic>

#include "kernels/elementwise.h"

namespace laconic {
namespace {

// Values that are worth a second thread: a microsecond or two, several times what calling a team
// costs.
constexpr std::size_t kThreadValues = 4096;

bool run_row(const ResidualStage& stage, std::size_t i) {
  float* x = stage.x + i * stage.cols;
  const bool finite = stage.delta == nullptr
                          ? all_finite(x, stage.cols)
                          : add_residual(x, stage.delta + i * stage.cols, stage.bias, stage.cols);
  if (stage.normed != nullptr) {
    float* normed = stage.normed + i * stage.cols;
    rms_norm(x, stage.norm, stage.eps, stage.cols, normed);
    if (stage.quantized != nullptr) quantize_row(normed, *stage.quantized, i);
  } else if (stage.quantized != nullptr) {
    rms_norm_quantize_row(x, stage.norm, stage.eps, *stage.quantized, i);
  }
  return finite;
}

}  // namespace

bool run_stage(Threads& threads, const ResidualStage& stage) {
  if (stage.quantized != nullptr) stage.quantized->resize(stage.n, stage.cols);
  std::atomic<bool> finite = true;
  const std::size_t grain = 1 + kThreadValues / std::max<std::size_t>(stage.cols, 1);
  threads.parallel_for(stage.n, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) {
      if (!run_row(stage, i)) finite.store(false, std::memory_order_relaxed);
    }
  });
  return finite.load(std::memory_order_relaxed);
}

}  // namespace laconic
