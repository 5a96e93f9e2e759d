// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace laconic {
namespace {

namespace fs = std::filesystem;

// The number after the word `key`, in a file of words.
std::optional<std::size_t> number_after(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    if (word != key) continue;
    std::size_t number = 0;
    if (in >> number) return number;
  }
  return std::nullopt;
}

// The value of "key:   123 kB" in a /proc file, in bytes.
std::size_t proc_value(const fs::path& file, std::string_view key, std::size_t otherwise) {
  const auto kibibytes = number_after(file, key);
  return kibibytes ? *kibibytes * 1024 : otherwise;
}

// A file that is one number; nothing when it is absent or a word ("max": no limit).
std::optional<std::size_t> only_number(const fs::path& file) {
  std::ifstream in(file);
  std::size_t number = 0;
  if (in >> number) return number;
  return std::nullopt;
}

// What the two versions of control groups call things.
struct GroupFiles {
  const char* limit;
  const char* used;
  const char* caches[2];  // keys in memory.stat: page cache of this group and those below
};
constexpr GroupFiles kVersion2{"memory.max", "memory.current", {"inactive_file", "active_file"}};
constexpr GroupFiles kVersion1{
    "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file", "total_active_file"}};

std::size_t left_in_group(const fs::path& group, const GroupFiles& files) {
  const auto limit = only_number(group / files.limit);
  const auto used = only_number(group / files.used);
  if (!limit || !used) return std::numeric_limits<std::size_t>::max();
  std::size_t cache = 0;
  for (const char* key : files.caches) {
    cache += number_after(group / "memory.stat", key).value_or(0);
  }
  const std::size_t held = *used - std::min(*used, cache);
  return *limit - std::min(*limit, held);
}

// The least that the group and those above it leave, up to the mount. A container often has its
// own group mounted there while /proc names the path outside: then only the mount exists.
std::size_t left_in_groups(const fs::path& mount, std::string_view group, const GroupFiles& files) {
  std::size_t left = left_in_group(mount, files);
  fs::path relative = fs::path(group).relative_path();
  if (std::find(relative.begin(), relative.end(), "..") != relative.end()) return left;
  for (; !relative.empty(); relative = relative.parent_path()) {
    left = std::min(left, left_in_group(mount / relative, files));
  }
  return left;
}

bool lists_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "memory") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

// Lines are "number:controllers:/path"; version 2 has number 0 and no controllers.
std::size_t left_in_control_groups(const fs::path& root) {
  std::size_t left = std::numeric_limits<std::size_t>::max();
  const fs::path mounts = root / "sys/fs/cgroup";
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view text(line), group = text.substr(second + 1);
    const std::string_view controllers = text.substr(first + 1, second - first - 1);
    if (controllers.empty()) {
      left = std::min(left, left_in_groups(mounts, group, kVersion2));
      left = std::min(left, left_in_groups(mounts / "unified", group, kVersion2));
    } else if (lists_memory(controllers)) {
      left = std::min(left, left_in_groups(mounts / "memory", group, kVersion1));
    }
  }
  return left;
}

}  // namespace

std::size_t available_memory(const fs::path& root) {
  const std::size_t machine =
      proc_value(root / "proc/meminfo", "MemAvailable:", std::size_t{1} << 30);
  return std::min(machine, left_in_control_groups(root));
}

std::size_t default_cache_memory(std::size_t mapped_weight_bytes) {
  const std::size_t free = available_memory() / 10 * 9;
  return std::max(free / 4, free > mapped_weight_bytes ? free - mapped_weight_bytes : 0);
}

std::size_t peak_process_memory() { return proc_value("/proc/self/status", "VmHWM:", 0); }

}  // namespace laconic
