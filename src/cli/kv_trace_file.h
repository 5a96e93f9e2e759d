// SPDX-License-Identifier: Apache-2.0
// The file of --kv-trace: a JSON object per compression, layer and KV head, a line each. Lines are
// written whole. An earlier file stays until the first line comes, so that a run which fails before
// that costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace laconic::cli {

class KvTraceFile {
 public:
  explicit KvTraceFile(std::string path) : path_(std::move(path)) {}
  ~KvTraceFile();
  KvTraceFile(const KvTraceFile&) = delete;
  KvTraceFile& operator=(const KvTraceFile&) = delete;

  // `kept`: positions of the rows that stay, ascending. Error(kResource) when the disk refuses.
  void add(std::size_t step, std::size_t layer, std::size_t kv_head,
           std::span<const std::int32_t> kept);

  // After a good run: one that never compressed has an empty trace, not an earlier one.
  void finish();

 private:
  void open();
  std::string path_;
  int file_ = -1;
};

}  // namespace laconic::cli
