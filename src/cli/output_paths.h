// SPDX-License-Identifier: Apache-2.0
// The files that a run will write, looked at before a model is loaded: what cannot be written is
// said early, and no file that is read, or written twice, is overwritten.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace laconic::cli {

enum class OutputKind {
  kReplaced,  // a new file takes the name: a regular file, in a folder that can be written
  kAppended,  // lines are added to what is there: a regular file, itself writable
  kStream,    // written as it comes: a device or a pipe will do
};

struct OutputPath {
  std::string_view flag;
  std::string path;
  OutputKind kind = OutputKind::kReplaced;
};

// Error(kInput) when the folder is missing, or the file or its folder cannot be written.
void require_writable(const OutputPath& output);

// Error(kUsage) when an output is `read`, a file that is read; `what` names it in the error.
void refuse_overwriting(std::span<const OutputPath> outputs, const std::filesystem::path& read,
                        std::string_view what);

// Error(kUsage) when an output is the model, a file of its directory, or another output;
// Error(kInput) when one of them cannot be written.
void check_outputs(const std::string& model, std::span<const OutputPath> outputs);

}  // namespace laconic::cli
