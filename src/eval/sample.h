// SPDX-License-Identifier: Apache-2.0
// One answer to one problem, with everything that later analyses need: the one schema of sample
// files in laconic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "laconic/generation.h"

namespace laconic {

struct Sample {
  std::string arm;  // "full", "rpc:interval=64,window=8,ratio=4": which cache decoded it
  std::string id, family, question, gold;
  std::vector<std::int32_t> prompt_ids, ids;
  std::string text, reasoning, answer;
  std::string extracted;  // the number graded; empty when there was none
  bool correct = false;
  std::string finish_reason;  // finish_reason_name()
  std::size_t kv_peak_bytes = 0;
  double kv_mean_bytes = 0;
  std::size_t kv_compressions = 0;
  double seconds = 0;  // decode time that this sample had a share in
};

// Sets `extracted` and `correct` from the text and the gold answer (eval/grade.h).
void grade(Sample& sample);

// One line of a sample file. "kv": {"peak_bytes", "mean_bytes", "compressions"}.
Json sample_json(const Sample& sample);
Sample sample_from_json(const Json& line, std::string_view where);

}  // namespace laconic
