// SPDX-License-Identifier: Apache-2.0
// Memory that is read from end to end at every step is read faster from huge pages: with small ones
// the CPU walks the page table, and its prefetchers stop, every 4 KiB.
#pragma once

#include <cstddef>

namespace laconic {

constexpr std::size_t kHugePage = std::size_t{2} << 20;  // x86-64, and AArch64 with pages of 4 KiB

// Asks for huge pages in [memory, memory + bytes), whole ones only: a started one would be held in
// full. Best before the memory is touched. A wish: where the system does not grant it, nothing
// happens.
void advise_huge_pages(void* memory, std::size_t bytes);

}  // namespace laconic
