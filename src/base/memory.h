// SPDX-License-Identifier: Apache-2.0
// The machine's memory, as the kernel reports it.
#pragma once

#include <cstddef>

namespace laconic {

// Bytes that could be used now without swapping (MemAvailable); 1 GiB where that is not told.
std::size_t available_memory();

// The most memory that this process has held so far (VmHWM), in bytes; 0 where that is not told.
std::size_t peak_process_memory();

}  // namespace laconic
