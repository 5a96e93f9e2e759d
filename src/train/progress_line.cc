// SPDX-License-Identifier: Apache-2.0
#include "train/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace laconic::train {
namespace {

constexpr std::chrono::milliseconds kTerminalPause{200};
constexpr std::chrono::seconds kFilePause{30};

std::string short_number(double value) {
  if (value >= 1e9) return fmt::format("{:.2f}G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.1f}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string duration(double seconds) {
  const auto minutes = static_cast<long>(seconds / 60);
  if (minutes >= 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  if (minutes > 0) return fmt::format("{} min", minutes);
  return fmt::format("{:.0f} s", seconds);
}

// A line that a full disk refuses is no reason to end a run.
void write(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string progress_text(const PretrainProgress& progress) {
  std::string text = fmt::format("step {}  {} of {} tokens  loss {:.4f}  {} tokens/s",
                                 progress.step, short_number(static_cast<double>(progress.tokens)),
                                 short_number(static_cast<double>(progress.total_tokens)),
                                 progress.loss, short_number(progress.tokens_per_second));
  if (progress.held_out) text += fmt::format("  held-out {:.1f}%", *progress.held_out * 100);
  return text + fmt::format("  {} left", duration(progress.seconds_left));
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (open_) write("\n");
}

void ProgressLine::show(const PretrainProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  const auto pause =
      terminal_ ? std::chrono::milliseconds(kTerminalPause) : std::chrono::milliseconds(kFilePause);
  if (shown_.time_since_epoch().count() != 0 && now - shown_ < pause) return;
  shown_ = now;
  // The escape erases what a longer line left behind.
  const std::string text = progress_text(progress);
  write(terminal_ ? "\r" + text + "\x1b[K" : text + "\n");
  open_ = terminal_;
}

void ProgressLine::say(const std::string& sentence) {
  write(fmt::format("{}laconic-train: {}\n", open_ ? "\n" : "", sentence));
  open_ = false;
}

}  // namespace laconic::train
