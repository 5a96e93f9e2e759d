// SPDX-License-Identifier: Apache-2.0
#include "base/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace laconic {

void advise_huge_pages(void* memory, std::size_t bytes) {
  const std::size_t skipped =
      (kHugePage - reinterpret_cast<std::uintptr_t>(memory) % kHugePage) % kHugePage;
  if (bytes < skipped + kHugePage) return;
  const std::size_t whole = (bytes - skipped) / kHugePage * kHugePage;
  ::madvise(static_cast<std::byte*>(memory) + skipped, whole, MADV_HUGEPAGE);
}

}  // namespace laconic
