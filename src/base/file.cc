// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace laconic {
namespace {

// Opens a regular file and gives its size; Error(kInput) says why not.
std::pair<int, std::size_t> open_regular(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_input("cannot open {}: {}", path.string(), std::strerror(errno));
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw_input("cannot read {}: it is not a regular file", path.string());
  }
  return {fd, static_cast<std::size_t>(info.st_size)};
}

// The file that a chain of symbolic links ends at, whether it exists or not.
std::filesystem::path behind_links(const std::filesystem::path& path) {
  constexpr int kMostLinks = 40;  // what Linux follows
  std::filesystem::path target = path;
  std::error_code ignored;
  for (int links = 0; std::filesystem::is_symlink(target, ignored); ++links) {
    if (links == kMostLinks) {
      throw_resource("cannot write {}: {}", path.string(), std::strerror(ELOOP));
    }
    // An absolute link replaces the folder.
    target = target.parent_path() / std::filesystem::read_symlink(target, ignored);
  }
  return target;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
  const auto [fd, size] = open_regular(path);
  if (size > limit) {
    ::close(fd);
    throw_input("{} has {} bytes, at most {} are read here", path.string(), size, limit);
  }
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, content.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  ::close(fd);
  if (done != size) throw_input("cannot read {}: {} of {} bytes came", path.string(), done, size);
  return content;
}

std::string read_descriptor(int descriptor, std::string_view name, std::size_t limit) {
  std::string content;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_input("cannot read {}: {}", name, std::strerror(errno));
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) {
      throw_input("{} has more than the {} bytes that are read here", name, limit);
    }
  }
}

std::string read_stream(const std::filesystem::path& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_input("cannot open {}: {}", path.string(), std::strerror(errno));
  try {
    std::string content = read_descriptor(fd, path.string(), limit);
    ::close(fd);
    return content;
  } catch (...) {
    ::close(fd);
    throw;
  }
}

void write_file_atomic(const std::filesystem::path& path,
                       const std::function<void(std::ostream&)>& write) {
  const std::filesystem::path target = behind_links(path);
  std::error_code ignored;
  const std::filesystem::file_status present = std::filesystem::status(target, ignored);
  if (std::filesystem::exists(present) && !std::filesystem::is_regular_file(present)) {
    throw_resource("cannot write {}: it is not a regular file", path.string());
  }
  std::filesystem::path temporary = target;
  temporary += fmt::format(".tmp{}", ::getpid());
  try {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) throw_resource("cannot write {}: {}", path.string(), std::strerror(errno));
    write(out);
    out.close();
    if (!out) throw_resource("cannot write {}: {}", path.string(), std::strerror(errno));
    std::filesystem::rename(temporary, target);
  } catch (const std::filesystem::filesystem_error& failure) {
    std::filesystem::remove(temporary, ignored);
    throw_resource("cannot write {}: {}", path.string(), failure.code().message());
  } catch (...) {
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

void write_file_atomic(const std::filesystem::path& path, std::string_view content) {
  write_file_atomic(path, [&](std::ostream& out) {
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
  });
}

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const auto [fd, size] = open_regular(path);
  if (size > 0) {
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int reason = errno;
    ::close(fd);
    if (address == MAP_FAILED)
      throw_input("cannot map {}: {}", path.string(), std::strerror(reason));
    data_ = static_cast<const std::byte*>(address);
    size_ = size;
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void drop_mapped_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace laconic
