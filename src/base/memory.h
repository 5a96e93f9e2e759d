// SPDX-License-Identifier: Apache-2.0
// The machine's memory, as the kernel reports it.
//
// A container sees the whole machine in /proc/meminfo and is killed at its control group's limit:
// both count. Groups of version 1 and 2 are read, and every group above the process's own.
#pragma once

#include <cstddef>
#include <filesystem>

namespace laconic {

// Bytes that could be used now without swapping: MemAvailable (1 GiB where that is not told), or
// what the limits of the control groups leave where that is less. Page cache counts as free, since
// it goes when memory is asked for. /proc and /sys are looked for below `root`.
std::size_t available_memory(const std::filesystem::path& root = "/");

// What cache rows may take when nobody says: nine tenths of what is available, less the weights
// that are mapped and will be paged in; at least a quarter of what is available.
std::size_t default_cache_memory(std::size_t mapped_weight_bytes);

// The most memory that this process has held so far (VmHWM), in bytes; 0 where that is not told.
std::size_t peak_process_memory();

}  // namespace laconic
