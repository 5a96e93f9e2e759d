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

SampleFile::SampleFile(const std::filesystem::path& path) : path_(path) {
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file_ < 0) {
    throw_resource("samples {} cannot be written: {}", path.string(), std::strerror(errno));
  }
  try {
    struct stat status {};
    if (::fstat(file_, &status) != 0 || !S_ISREG(status.st_mode)) {
      throw_input("samples {} cannot be resumed: it is not a regular file", path.string());
    }
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      throw_resource("samples {} are being written by another process", path.string());
    }
    read();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

SampleFile::~SampleFile() { ::close(file_); }

void SampleFile::read() {
  const std::string content = read_file(path_, std::numeric_limits<std::size_t>::max());
  std::string_view rest = content;
  for (std::size_t number = 1; rest.find('\n') != std::string_view::npos; ++number) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    const std::string where = fmt::format("samples {} line {}", path_.string(), number);
    const Json line = parse_json(text, where);
    stored_.push_back(
        {sample_from_json(line, where), json_required<Json>(line, "settings", where), number});
    rest.remove_prefix(text.size() + 1);
  }
  bytes_ = content.size() - rest.size();
  if (rest.empty()) return;
  if (!begins_like_ours(rest)) {
    throw_input("{} does not hold samples; it was left as it is", path_.string());
  }
  if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) {
    throw_resource("samples {} cannot be written: {}", path_.string(), std::strerror(errno));
  }
}

void SampleFile::append(const Sample& sample, const Json& settings) {
  const std::string line = line_of(sample, settings);
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t wrote = ::write(file_, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int reason = errno;
      // Of a line that does not fit, nothing stays. The error is told either way, and a rest is
      // dropped by the next run.
      if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) errno = 0;
      throw_resource("samples {} cannot be written: {}", path_.string(), std::strerror(reason));
    }
    done += static_cast<std::size_t>(wrote);
  }
  bytes_ += line.size();
}

}  // namespace laconic
