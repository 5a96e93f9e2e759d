// SPDX-License-Identifier: Apache-2.0
#include "cli/output_paths.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace laconic::cli {
namespace {

namespace fs = std::filesystem;

// One file under two names: by its place, or by a hard link.
bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code absent;
  if (fs::equivalent(a, b, absent)) return true;
  const fs::path place = fs::weakly_canonical(a, absent);
  return !place.empty() && place == fs::weakly_canonical(b, absent);
}

bool belongs_to_model(const fs::path& model, const fs::path& path) {
  if (same_file(model, path)) return true;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(model, unreadable)) {
    if (same_file(entry.path(), path)) return true;
  }
  return false;
}

}  // namespace

void require_writable(const OutputPath& output) {
  const auto& [flag, path, kind] = output;
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw_input("{} {} cannot be written: there is no folder {}", flag, path, folder.string());
  }
  std::error_code unknown;
  const fs::file_status present = fs::status(path, unknown);
  if (present.type() == fs::file_type::none) {
    throw_input("{} {} cannot be written: {}", flag, path, unknown.message());
  }
  const bool exists = fs::exists(present);
  if (fs::is_directory(present)) {
    throw_input("{} {} cannot be written: it is a directory", flag, path);
  }
  if (kind != OutputKind::kStream && exists && !fs::is_regular_file(present)) {
    throw_input("{} {} cannot be written: it is not a regular file", flag, path);
  }
  const bool in_place = exists && kind != OutputKind::kReplaced;
  const fs::path& touched = in_place ? fs::path(path) : folder;
  if (::access(touched.c_str(), in_place ? W_OK : W_OK | X_OK) != 0) {
    throw_input("{} {} cannot be written: {}", flag, path, std::strerror(errno));
  }
}

void refuse_overwriting(std::span<const OutputPath> outputs, const fs::path& read,
                        std::string_view what) {
  for (const OutputPath& output : outputs) {
    if (!same_file(output.path, read)) continue;
    throw_usage("{} {} is {} that is read; give another name", output.flag, output.path, what);
  }
}

void check_outputs(const std::string& model, std::span<const OutputPath> outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& [flag, path, kind] = outputs[i];
    if (belongs_to_model(model, path)) {
      throw_usage("{} {} belongs to the model that is read; give another name", flag, path);
    }
    for (const OutputPath& other : outputs.first(i)) {
      if (!same_file(other.path, path)) continue;
      throw_usage("{} and {} are both {}; give them different names", other.flag, flag, path);
    }
  }
  for (const OutputPath& output : outputs) require_writable(output);
}

}  // namespace laconic::cli
