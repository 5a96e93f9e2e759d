// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <fstream>
#include <string>

namespace laconic {
namespace {

// The value of "key:   123 kB" in a /proc file, in bytes.
std::size_t proc_value(const char* file, const std::string& key, std::size_t otherwise) {
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    if (word != key) continue;
    std::size_t kibibytes = 0;
    if (in >> kibibytes) return kibibytes * 1024;
  }
  return otherwise;
}

}  // namespace

std::size_t available_memory() {
  return proc_value("/proc/meminfo", "MemAvailable:", std::size_t{1} << 30);
}

std::size_t peak_process_memory() { return proc_value("/proc/self/status", "VmHWM:", 0); }

}  // namespace laconic
