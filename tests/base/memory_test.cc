// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "test_paths.h"

namespace laconic {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// A made /proc and /sys.
class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    write("proc/meminfo", "MemTotal: 9999999 kB\nMemAvailable: 4096000 kB\n");
  }
  void write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void limit(const std::string& group, const std::string& most, std::size_t used) {
    write("sys/fs/cgroup/" + group + "/memory.max", most + "\n");
    write("sys/fs/cgroup/" + group + "/memory.current", std::to_string(used) + "\n");
  }
  std::size_t available() { return available_memory(folder_.path()); }
  test::TemporaryFolder folder_;
};

TEST_F(Memory, IsWhatTheMachineSaysWithoutGroups) {
  EXPECT_EQ(available(), 4000 * kMiB);
  std::filesystem::remove(folder_ / "proc/meminfo");
  EXPECT_EQ(available(), 1024 * kMiB);
}

TEST_F(Memory, TheTightestOfTheGroupsAboveCounts) {
  write("proc/self/cgroup", "0::/a/b/c\n");
  limit("a/b/c", "max", 5 * kMiB);
  EXPECT_EQ(available(), 4000 * kMiB);
  limit("a/b", std::to_string(800 * kMiB), 100 * kMiB);
  EXPECT_EQ(available(), 700 * kMiB);
  limit("a", std::to_string(500 * kMiB), 450 * kMiB);
  EXPECT_EQ(available(), 50 * kMiB);
  limit("a", std::to_string(500 * kMiB), 501 * kMiB);  // over it: nothing is left
  EXPECT_EQ(available(), 0u);
  limit("a", std::to_string(9000 * kMiB), 0);  // more than the machine has: b counts again
  EXPECT_EQ(available(), 700 * kMiB);
}

TEST_F(Memory, PageCacheIsFree) {
  write("proc/self/cgroup", "0::/a\n");
  limit("a", std::to_string(800 * kMiB), 700 * kMiB);
  write("sys/fs/cgroup/a/memory.stat", "anon 1\nfile 7\ninactive_file " +
                                           std::to_string(400 * kMiB) + "\nactive_file " +
                                           std::to_string(100 * kMiB) + "\n");
  EXPECT_EQ(available(), 600 * kMiB);
}

TEST_F(Memory, AContainersOwnGroupIsTheMount) {
  limit(".", std::to_string(256 * kMiB), 56 * kMiB);
  for (const char* path : {"0::/\n", "0::/docker/absent/here\n", "0::/../../elsewhere\n"}) {
    write("proc/self/cgroup", path);
    EXPECT_EQ(available(), 200 * kMiB) << path;
  }
}

TEST_F(Memory, ReadsGroupsOfVersionOne) {
  write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/x:y/z\n0::/\nbroken\n");
  write("sys/fs/cgroup/memory/x:y/z/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/x:y/z/memory.usage_in_bytes", "4096\n");
  EXPECT_EQ(available(), 4000 * kMiB);
  write("sys/fs/cgroup/memory/x:y/memory.limit_in_bytes", std::to_string(64 * kMiB));
  write("sys/fs/cgroup/memory/x:y/memory.usage_in_bytes", std::to_string(60 * kMiB));
  write("sys/fs/cgroup/memory/x:y/memory.stat",
        "inactive_file 1\ntotal_inactive_file " + std::to_string(2 * kMiB) + "\n");
  EXPECT_EQ(available(), 6 * kMiB);
}

TEST(MemoryOfThisMachine, IsThere) {
  EXPECT_GT(available_memory(), 0u);
  EXPECT_GT(peak_process_memory(), kMiB);
}

}  // namespace
}  // namespace laconic
