// SPDX-License-Identifier: Apache-2.0
#include "tool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace laconic::test {
namespace {

constexpr int kPatienceMs = 120000;  // sanitizer builds are slow

void read_into(int& fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  } else {
    ::close(fd);
    fd = -1;
  }
}

}  // namespace

Json Outcome::json() const { return Json::parse(out, nullptr, false); }

ToolProcess::ToolProcess(const std::vector<std::string>& arguments, const std::string& input) {
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) std::abort();
  // Input through a file: a pipe could fill up while nobody reads.
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::tmpfile(), std::fclose);
  std::fwrite(input.data(), 1, input.size(), in.get());
  std::rewind(in.get());

  std::string binary = LACONIC_BINARY;
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {binary.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(::fileno(in.get()), STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    ::execv(binary.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

ToolProcess::~ToolProcess() {
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

bool ToolProcess::read_some() {
  if (out_ < 0 && err_ < 0) return false;
  std::array<pollfd, 2> streams = {{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
  if (::poll(streams.data(), streams.size(), kPatienceMs) <= 0) return false;
  if (out_ >= 0 && streams[0].revents != 0) read_into(out_, outcome_.out);
  if (err_ >= 0 && streams[1].revents != 0) read_into(err_, outcome_.err);
  return true;
}

void ToolProcess::wait_for_output(std::size_t bytes) {
  while (outcome_.out.size() < bytes && out_ >= 0 && read_some()) {
  }
}

void ToolProcess::send(int signal) const { ::kill(pid_, signal); }

Outcome ToolProcess::finish() {
  while (read_some()) {
  }
  if (out_ >= 0 || err_ >= 0) ::kill(pid_, SIGKILL);  // patience is over
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  outcome_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome_;
}

Outcome run_tool(const std::vector<std::string>& arguments, const std::string& input) {
  return ToolProcess(arguments, input).finish();
}

Outcome run_shell(const std::string& script) {
  Outcome outcome;
  std::FILE* pipe = ::popen(("LACONIC='" LACONIC_BINARY "'; " + script).c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.out.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

void expect_refusal(const Outcome& outcome, int code, const std::string& part_of_sentence) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, ::testing::StartsWith("laconic: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_THAT(outcome.err, ::testing::HasSubstr(part_of_sentence));
}

void make_tiny(const std::string& out, const std::string& type) {
  const Outcome made = run_tool({"make-model", "--like", "tiny", "--out", out, "--type", type});
  ASSERT_EQ(made.code, 0) << made.err;
}

}  // namespace laconic::test
