// SPDX-License-Identifier: Apache-2.0
#include "train/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace laconic::train {

RunLog::RunLog(const std::filesystem::path& file, std::uint64_t last_step) : file_(file) {
  std::string kept;
  if (std::filesystem::exists(file)) {
    const std::string content = read_file(file);
    for (std::size_t begin = 0; begin < content.size();) {
      const std::size_t end = content.find('\n', begin);
      if (end == std::string::npos) break;
      const std::string line = content.substr(begin, end - begin);
      begin = end + 1;
      const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!json.is_object() || !json.contains("step") || !json["step"].is_number_unsigned() ||
          json["step"].get<std::uint64_t>() > last_step) {
        continue;
      }
      if (json.contains("held_out")) last_held_out_ = json;
      kept += line + "\n";
    }
    if (kept != content) write_file_atomic(file, kept);
  }
  descriptor_ = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_resource("cannot write {}: {}", file.string(), std::strerror(errno));
}

RunLog::~RunLog() { ::close(descriptor_); }

void RunLog::append(const nlohmann::ordered_json& line) {
  const std::string text = line.dump() + "\n";
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  const ssize_t written = ::write(descriptor_, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  const int reason = written < 0 ? errno : ENOSPC;
  if (written > 0 && ::ftruncate(descriptor_, before) != 0) {
    throw_resource("cannot repair {}: {}", file_.string(), std::strerror(errno));
  }
  throw_resource("cannot write {}: {}", file_.string(), std::strerror(reason));
}

}  // namespace laconic::train
