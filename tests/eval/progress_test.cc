// SPDX-License-Identifier: Apache-2.0
#include "eval/progress.h"

#include <gtest/gtest.h>

namespace laconic {
namespace {

TEST(SecondsLeft, CountsTokensNotAnswers) {
  Workload work;
  work.running = 4;
  work.running_tokens = 100;
  work.seconds = 2;
  EXPECT_FALSE(seconds_left(work));  // no answer has ended: nobody knows how long one is
  work.finished = 2;
  work.finished_tokens = 100;
  work.waiting = 6;
  // 200 tokens in 2 s; 4 x 50 - 100 for those under way, 6 x 50 for the others.
  EXPECT_DOUBLE_EQ(*seconds_left(work), 4.0);
  work.running_tokens = 400;  // longer than the mean already
  EXPECT_DOUBLE_EQ(*seconds_left(work), 300 / 250.0);
  work.running = work.running_tokens = work.waiting = 0;
  EXPECT_DOUBLE_EQ(*seconds_left(work), 0);
}

TEST(ClockText, HoursOnlyWhereThereAreAny) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(65.4), "1:05");
  EXPECT_EQ(clock_text(59.6), "1:00");
  EXPECT_EQ(clock_text(3725), "1:02:05");
}

TEST(ProgressBar, FillsUp) {
  EXPECT_EQ(progress_bar(0, 10, 4), "[----]");
  EXPECT_EQ(progress_bar(5, 10, 4), "[##--]");
  EXPECT_EQ(progress_bar(10, 10, 4), "[####]");
  EXPECT_EQ(progress_bar(0, 0, 4), "[####]");
}

}  // namespace
}  // namespace laconic
