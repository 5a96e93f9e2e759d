// SPDX-License-Identifier: Apache-2.0
// Where tests find what they read. Shared data may be absent: such tests skip and say so.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace laconic::test {

inline std::filesystem::path shared_data() { return LACONIC_SHARED_DATA; }
inline std::filesystem::path test_data() { return LACONIC_TEST_DATA; }

// A folder of this test alone, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = info ? std::string(info->test_suite_name()) + "." + info->name() : "test";
    for (char& c : name) {
      if (c == '/') c = '_';
    }
    path_ = std::filesystem::temp_directory_path() /
            ("laconic." + name + "." + std::to_string(::getpid()));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace laconic::test

// Skips the test, saying which file is absent.
#define LACONIC_NEEDS(path)                                                            \
  do {                                                                                 \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "absent: " << (path).string(); \
  } while (false)
