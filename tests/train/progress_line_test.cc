// SPDX-License-Identifier: Apache-2.0
#include "train/progress_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace laconic::train {
namespace {

PretrainProgress some_progress() {
  PretrainProgress progress;
  progress.step = 1220;
  progress.tokens = 10'040'000;
  progress.total_tokens = 200'000'000;
  progress.loss = 0.41234;
  progress.tokens_per_second = 10'400;
  progress.seconds_left = 4 * 3600 + 12 * 60 + 59;
  return progress;
}

TEST(ProgressText, SaysHowFarARunIs) {
  PretrainProgress progress = some_progress();
  EXPECT_EQ(progress_text(progress),
            "step 1220  10.0M of 200.0M tokens  loss 0.4123  10.4k tokens/s  4 h 12 min left");
  progress.held_out = 0.432;
  progress.seconds_left = 59.4;
  EXPECT_EQ(progress_text(progress),
            "step 1220  10.0M of 200.0M tokens  loss 0.4123  10.4k tokens/s  held-out 43.2%  "
            "59 s left");
}

TEST(ProgressText, ShortensNumbersAndTimes) {
  PretrainProgress progress;
  progress.tokens = 999;
  progress.total_tokens = 2'500'000'000;
  progress.seconds_left = 61;
  EXPECT_EQ(progress_text(progress),
            "step 0  999 of 2.50G tokens  loss 0.0000  0 tokens/s  1 min left");
  progress.seconds_left = 3600;
  EXPECT_NE(progress_text(progress).find("1 h 00 min left"), std::string::npos);
}

TEST(ProgressLine, AFullDiskBehindStderrIsNoError) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "absent: /dev/full";
  const int before = ::dup(STDERR_FILENO);
  ::dup2(full, STDERR_FILENO);
  EXPECT_NO_THROW({
    ProgressLine line;
    line.show(some_progress());
    line.say("a sentence");
  });
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  ::close(full);
}

}  // namespace
}  // namespace laconic::train
