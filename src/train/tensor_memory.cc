// SPDX-License-Identifier: Apache-2.0
#include "train/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "train/compat.h"

namespace laconic::train {
namespace {

// One cache line: what libtorch and oneDNN expect a tensor to begin at.
constexpr std::size_t kAlignment = 64;
// Below this, malloc's own lists are as good.
constexpr std::size_t kLargeBytes = std::size_t{64} << 10;

std::size_t rounded(std::size_t bytes) {
  if (bytes < kLargeBytes) return bytes;
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class TensorMemory final : public c10::Allocator {
 public:
  // libtorch 1.13 declares the first, later versions the second, and copy_data.
  c10::DataPtr allocate(std::size_t bytes) const { return take(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return take(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const {
    std::memcpy(to, from, bytes);
  }
  c10::DeleterFnPtr raw_deleter() const { return &give_back; }

 private:
  struct Waiting {
    std::mutex mutex;
    std::map<std::size_t, std::vector<void*>> blocks;  // by rounded size
  };
  // Tensors outlive every static object: never destroyed.
  static Waiting& waiting() {
    static Waiting& all = *new Waiting;
    return all;
  }

  // A block begins with its size; the tensor's bytes follow after kAlignment.
  static c10::DataPtr take(std::size_t bytes) {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &give_back, cpu};
    const std::size_t size = rounded(bytes);
    void* block = nullptr;
    if (size >= kLargeBytes) {
      Waiting& all = waiting();
      const std::lock_guard lock(all.mutex);
      auto& same = all.blocks[size];
      if (!same.empty()) {
        block = same.back();
        same.pop_back();
      }
    }
    if (block == nullptr) block = fresh_block(size);
    std::memcpy(block, &size, sizeof(size));
    void* data = static_cast<std::byte*>(block) + kAlignment;
    return {data, data, &give_back, cpu};
  }

  static void* fresh_block(std::size_t size) {
    void* block = nullptr;
    if (::posix_memalign(&block, kAlignment, size + kAlignment) == 0) return block;
    // What waits may be of other sizes than what is wanted.
    free_waiting();
    if (::posix_memalign(&block, kAlignment, size + kAlignment) == 0) return block;
    throw std::bad_alloc();
  }

  static void free_waiting() {
    Waiting& all = waiting();
    const std::lock_guard lock(all.mutex);
    for (const auto& [size, blocks] : all.blocks) {
      for (void* block : blocks) std::free(block);
    }
    all.blocks.clear();
  }

  static void give_back(void* data) {
    if (data == nullptr) return;
    void* block = static_cast<std::byte*>(data) - kAlignment;
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof(size));
    if (size < kLargeBytes) {
      std::free(block);
      return;
    }
    Waiting& all = waiting();
    const std::lock_guard lock(all.mutex);
    all.blocks[size].push_back(block);
  }
};

}  // namespace

void keep_tensor_memory() {
  static TensorMemory& memory = *new TensorMemory;
  c10::SetCPUAllocator(&memory, /*priority=*/100);
  // For what does not go through an allocator of libtorch: oneDNN's scratch memory.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2147483647);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace laconic::train
