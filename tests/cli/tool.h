// SPDX-License-Identifier: Apache-2.0
// The built `laconic` binary as a process: arguments in, exit code, stdout and stderr out.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/json.h"

namespace laconic::test {

struct Outcome {
  int code = -1;  // exit code; 128 + signal when a signal ended it
  std::string out, err;

  Json json() const;  // stdout as JSON; discarded when it is none
};

// A process that is under way. Killed at the end of its life when it has not ended by itself.
class ToolProcess {
 public:
  explicit ToolProcess(const std::vector<std::string>& arguments, const std::string& input = "");
  ~ToolProcess();
  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;

  void wait_for_output(std::size_t bytes);  // until stdout has that much, or has ended
  void send(int signal) const;
  Outcome finish();

 private:
  bool read_some();  // false at the end of both streams
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  Outcome outcome_;
};

Outcome run_tool(const std::vector<std::string>& arguments, const std::string& input = "");

// A shell script in which $LACONIC is the binary; `out` is what it leaves on its stdout.
Outcome run_shell(const std::string& script);

// One line on stderr that begins with the tool's name, nothing on stdout, and the exit code.
void expect_refusal(const Outcome& outcome, int code, const std::string& part_of_sentence);

// Random weights at the shape of the smallest known model.
void make_tiny(const std::string& out, const std::string& type = "f32");

}  // namespace laconic::test
