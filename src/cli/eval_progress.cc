// SPDX-License-Identifier: Apache-2.0
#include "cli/eval_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "cli/standard_streams.h"
#include "eval/progress.h"

namespace laconic::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBarWidth = 24;
constexpr std::size_t kUsualColumns = 80;

std::size_t columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kUsualColumns;
}

std::string standing(const EvaluationProgress& p) {
  std::string out = fmt::format("{} of {} problems", p.finished, p.problems);
  if (p.finished > 0) {
    const double share = static_cast<double>(p.correct) / static_cast<double>(p.finished);
    out += fmt::format(", {:.1f} % correct", share * 100);
  }
  out += fmt::format(", {:.0f} tokens/s", p.tokens_per_second);
  if (p.seconds_left) out += fmt::format(", {} left", clock_text(*p.seconds_left));
  return out;
}

}  // namespace

EvalProgress::EvalProgress(std::vector<std::string> arms)
    : arms_(std::move(arms)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      last_(std::chrono::steady_clock::now()) {}

EvalProgress::~EvalProgress() {
  if (terminal_) say("\r\x1b[K");
}

void EvalProgress::show(const EvaluationProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_ ? 200ms : 10000ms)) return;
  last_ = now;
  draw(progress);
}

void EvalProgress::draw(const EvaluationProgress& p) const {
  const std::string arm = fmt::format("{}/{} {}", p.arm + 1, arms_.size(), arms_[p.arm]);
  if (!terminal_) {
    say(fmt::format("{}: {}\n", arm, standing(p)));
    return;
  }
  // A line that wraps could not be drawn over; the name is what may be cut.
  const std::string rest =
      " " + progress_bar(p.finished, p.problems, kBarWidth) + " " + standing(p);
  const std::size_t width = columns() - 1;
  const std::size_t room = width > rest.size() ? width - rest.size() : 0;
  say("\r\x1b[K" + (arm.substr(0, room) + rest).substr(0, width));
}

}  // namespace laconic::cli
