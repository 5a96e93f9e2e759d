// SPDX-License-Identifier: Apache-2.0
#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/model_folder.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;

// The folder that holds .git, above `path`; empty when there is none.
fs::path clone_of(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = fs::weakly_canonical(path, ignored);
  for (;; folder = folder.parent_path()) {
    if (fs::exists(folder / ".git", ignored)) return folder;
    if (folder == folder.parent_path()) return {};
  }
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(path, ignored);
  return std::mismatch(folder.begin(), folder.end(), whole.begin(), whole.end()).first ==
         folder.end();
}

// The X of "X.tmp1234", the name under which write_file_atomic() writes X; empty for other names.
std::string temporary_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  const bool temporary = extension.starts_with(".tmp") && extension.size() > 4 &&
                         extension.find_first_not_of("0123456789", 4) == std::string::npos;
  return temporary ? file.stem().string() : std::string();
}

bool is_ours(const fs::path& file) {
  const std::string target = temporary_of(file);
  return is_unfinished_checkpoint(file.filename().string()) || is_unfinished_checkpoint(target) ||
         target == "log.jsonl";
}

bool is_ours_in_model(const fs::path& file) { return is_model_file(temporary_of(file)); }

// Removes the regular files that `ours` names. What cannot be removed does no harm.
void remove_unfinished(const fs::path& folder, bool (*ours)(const fs::path&)) {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (fs::is_regular_file(entry.symlink_status(ignored)) && ours(entry.path())) {
      files.push_back(entry.path());
    }
  }
  for (const fs::path& file : files) fs::remove(file, ignored);
}

}  // namespace

RunFolder::RunFolder(const fs::path& folder, const fs::path& recipe) : path_(folder) {
  const fs::path clone = clone_of(fs::absolute(recipe).parent_path());
  if (!clone.empty() && is_inside(fs::absolute(folder), clone)) {
    throw_usage("--out {} lies inside the git clone {}: checkpoints belong outside of it",
                folder.string(), clone.string());
  }
  std::error_code failure;
  fs::create_directories(path_, failure);
  if (failure) throw_usage("cannot make the folder {}: {}", path_.string(), failure.message());
  const fs::path lock = path_ / "lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) throw_resource("cannot write {}: {}", lock.string(), std::strerror(errno));
  // The system gives the lock back when the process ends, however it ends.
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    ::close(lock_);
    if (reason != EWOULDBLOCK) {
      throw_resource("cannot lock {}: {}", lock.string(), std::strerror(reason));
    }
    throw_usage("--out {} is in use by another process: one run at a time", path_.string());
  }
  remove_unfinished(path_, is_ours);
  remove_unfinished(model(), is_ours_in_model);
}

RunFolder::~RunFolder() { ::close(lock_); }

}  // namespace laconic::train
