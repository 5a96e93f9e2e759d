// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.h"

namespace laconic::cli {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t interrupted_by = 0;

extern "C" void note_interrupt(int signal) { interrupted_by = signal; }

}  // namespace

InterruptWatch::InterruptWatch(Signals signals) : signals_(signals) {
  interrupted_by = 0;
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  // The handler serves once: a second Ctrl-C finds the default action, which ends the process.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_int_);
  if (signals_ == Signals::kInterruptAndTerminate) sigaction(SIGTERM, &action, &previous_term_);
}

InterruptWatch::~InterruptWatch() {
  sigaction(SIGINT, &previous_int_, nullptr);
  if (signals_ == Signals::kInterruptAndTerminate) sigaction(SIGTERM, &previous_term_, nullptr);
}

int InterruptWatch::signal() const { return interrupted_by; }

}  // namespace laconic::cli
