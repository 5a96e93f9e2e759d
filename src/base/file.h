// SPDX-License-Identifier: Apache-2.0
// Whole files: read, write through a temporary name, map into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace laconic {

// The file's bytes. Error(kInput) when it is missing, unreadable, or larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30);

// The same for whatever can be read to its end: a pipe or a terminal too.
std::string read_stream(const std::filesystem::path& path,
                        std::size_t limit = std::size_t{1} << 30);
std::string read_descriptor(int descriptor, std::string_view name,
                            std::size_t limit = std::size_t{1} << 30);

// Writes to a temporary name in the same folder and renames: the file is whole or absent. Behind a
// symbolic link the file that it names is written. Error(kResource) when the disk refuses, and when
// the name stands for something that is not a regular file.
void write_file_atomic(const std::filesystem::path& path,
                       const std::function<void(std::ostream&)>& write);
void write_file_atomic(const std::filesystem::path& path, std::string_view content);

// A read-only mapping of a whole file; empty files give an empty span.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);  // Error(kInput) when it cannot be mapped
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Tells the kernel that these bytes of a mapping will not be read again soon: their pages may go.
void drop_mapped_pages(std::span<const std::byte> bytes);

}  // namespace laconic
