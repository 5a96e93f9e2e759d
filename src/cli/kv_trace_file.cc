// SPDX-License-Identifier: Apache-2.0
#include "cli/kv_trace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace laconic::cli {

KvTraceFile::~KvTraceFile() {
  if (file_ >= 0) ::close(file_);
}

void KvTraceFile::open() {
  if (file_ >= 0) return;
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) throw_resource("--kv-trace {} cannot be written: {}", path_, std::strerror(errno));
}

void KvTraceFile::add(std::size_t step, std::size_t layer, std::size_t kv_head,
                      std::span<const std::int32_t> kept) {
  open();
  const Json line = {{"step", step},
                     {"layer", layer},
                     {"kv_head", kv_head},
                     {"kept", std::vector<std::int32_t>(kept.begin(), kept.end())}};
  const std::string text = line.dump() + "\n";
  const off_t start = ::lseek(file_, 0, SEEK_CUR);  // -1 for a pipe, which takes nothing back
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(file_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int reason = errno;
      // Of a line that does not fit, nothing stays. The error is told either way.
      if (start >= 0 && ::ftruncate(file_, start) == 0) ::lseek(file_, start, SEEK_SET);
      throw_resource("--kv-trace {} cannot be written: {}", path_, std::strerror(reason));
    }
    done += static_cast<std::size_t>(wrote);
  }
}

void KvTraceFile::finish() { open(); }

}  // namespace laconic::cli
