// SPDX-License-Identifier: Apache-2.0
// The laconic-train program as a child of the test.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace laconic::train::test {

namespace fs = std::filesystem;

inline const fs::path& tool() {
  static const fs::path path = std::string(LACONIC_BINARY) + "-train";
  return path;
}

// Killed and reaped where the test does not wait for it.
class Child {
 public:
  Child(const std::vector<std::string>& arguments, const fs::path& errors) {
    std::vector<std::string> all = {tool().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> raw;
    for (std::string& argument : all) raw.push_back(argument.data());
    raw.push_back(nullptr);
    id_ = ::fork();
    if (id_ == 0) {
      const int file = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      ::dup2(file, STDERR_FILENO);
      ::execv(raw[0], raw.data());
      ::_exit(127);
    }
  }
  ~Child() {
    if (ended()) return;
    signal(SIGKILL);
    wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void signal(int number) {
    if (!ended()) ::kill(id_, number);
  }
  bool ended() {
    if (!status_ && ::waitpid(id_, &raw_status_, WNOHANG) == id_) status_ = raw_status_;
    return status_.has_value();
  }
  // The exit code, or -1 after a signal.
  int wait() {
    if (!status_) {
      ::waitpid(id_, &raw_status_, 0);
      status_ = raw_status_;
    }
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1;
  }

 private:
  pid_t id_ = -1;
  int raw_status_ = 0;
  std::optional<int> status_;
};

}  // namespace laconic::train::test
