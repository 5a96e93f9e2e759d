// SPDX-License-Identifier: Apache-2.0
#include "eval/sample_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace laconic {
namespace {

// How every line of ours begins: JSON objects are written in the order of their keys.
constexpr std::string_view kLineStart = "{\"answer\":";

bool begins_like_ours(std::string_view tail) {
  const std::size_t count = std::min(tail.size(), kLineStart.size());
  return tail.substr(0, count) == kLineStart.substr(0, count);
}

std::string line_of(const Sample& sample, const Json& settings) {
  Json line = sample_json(sample);
  line["settings"] = settings;
  // A text that was cut inside a character is not UTF-8.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

StoredSample parse_sample_line(std::string_view text, const std::filesystem::path& path,
                               std::size_t line) {
  const std::string where = fmt::format("samples {} line {}", path.string(), line);
  Json document = parse_json(text, where);
  Sample sample = sample_from_json(document, where);
  const auto settings = document.find("settings");
  if (settings == document.end()) throw_input("{}: \"settings\" is missing", where);
  if (!settings->is_object()) throw_input("{}: \"settings\" must be an object", where);
  return {std::move(sample), std::move(*settings), line};
}

SampleFile::SampleFile(const std::filesystem::path& path) : path_(path) {
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file_ < 0) throw_unwritable(errno);
  try {
    struct stat status {};
    if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
      throw_input("samples {} cannot be resumed: it is not a regular file", path.string());
    }
    lock();
    read();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

SampleFile::~SampleFile() { ::close(file_); }

void SampleFile::throw_unwritable(int reason) const {
  throw_resource("samples {} cannot be written: {}", path_.string(), std::strerror(reason));
}

void SampleFile::lock() const {
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) {
    throw_resource("samples {} are being written by another process", path_.string());
  }
  throw_resource("samples {} cannot be locked: {}", path_.string(), std::strerror(errno));
}

void SampleFile::read() {
  const std::string content = read_file(path_, std::numeric_limits<std::size_t>::max());
  std::string_view rest = content;
  std::size_t number = 1;
  for (; rest.find('\n') != std::string_view::npos; ++number) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    store(text, number);
    rest.remove_prefix(text.size() + 1);
  }
  bytes_ = content.size() - rest.size();
  if (!rest.empty()) read_tail(rest, number);
}

void SampleFile::store(std::string_view text, std::size_t number) {
  stored_.push_back(parse_sample_line(text, path_, number));
}

// What follows the last line end: a line that lacks only that, or what a kill or a power cut left.
void SampleFile::read_tail(std::string_view tail, std::size_t number) {
  const std::size_t size = tail.size();
  // A file may have grown on the disk before its bytes came there.
  tail = tail.substr(0, tail.find_last_not_of('\0') + 1);
  if (Json::accept(tail.begin(), tail.end())) {
    store(tail, number);
    bytes_ += tail.size();
    open_line_ = true;
  } else if (tail.empty() ? stored_.empty() : !begins_like_ours(tail)) {
    throw_input("{} does not hold samples; it was left as it is", path_.string());
  }
  if (open_line_ && tail.size() == size) return;
  if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) throw_unwritable(errno);
}

bool SampleFile::write_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t wrote = ::write(file_, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  // Some file systems cannot be told to, which is no failure of the line.
  return ::fdatasync(file_) == 0 || errno == EINVAL;
}

// Back to the whole lines. Where that fails too there is nothing left to do: the error that led
// here is told either way, and the next run drops what stands there.
void SampleFile::cut() const {
  const int failed = ::ftruncate(file_, static_cast<off_t>(bytes_));
  static_cast<void>(failed);
}

void SampleFile::append(const Sample& sample, const Json& settings) {
  const std::string line = (open_line_ ? "\n" : "") + line_of(sample, settings);
  if (!write_all(line)) {
    const int reason = errno;
    cut();
    throw_unwritable(reason);
  }
  bytes_ += line.size();
  open_line_ = false;
}

}  // namespace laconic
