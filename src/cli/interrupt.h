// SPDX-License-Identifier: Apache-2.0
// Ctrl-C while an answer or a file is being written: the first one asks for an end, the second one
// kills.
#pragma once

#include <csignal>
#include <exception>

namespace laconic::cli {

// Unwinds a command that was told to end, so that its temporary files go.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  const char* what() const noexcept override { return "interrupted"; }
  int exit_code() const { return 128 + signal_; }  // as shells count

 private:
  int signal_;
};

// Watches for SIGINT, and where asked for SIGTERM, during its life; outside of it they have their
// usual effect. One at a time.
class InterruptWatch {
 public:
  enum class Signals { kInterrupt, kInterruptAndTerminate };
  explicit InterruptWatch(Signals signals = Signals::kInterrupt);
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  int signal() const;  // the one that came; 0: none
  bool requested() const { return signal() != 0; }

 private:
  Signals signals_;
  struct sigaction previous_int_ {
  }, previous_term_{};
};

}  // namespace laconic::cli
