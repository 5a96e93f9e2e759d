// SPDX-License-Identifier: Apache-2.0
// Problem sets: JSON lines with a question and a worked answer that ends in a number, in the form
// of GSM8K (Cobbe et al. 2021): {"question", "answer": "... #### 42"}, optionally "id" and
// "family".
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace laconic {

struct TaskItem {
  std::string id;      // the line's own, else its number from 1
  std::string family;  // empty when the line has none
  std::string question;
  std::string gold;  // the number as written, after "####", without separators of thousands
};

// Error(kInput) names the file, the line's number and the reason; a file without lines is one too.
std::vector<TaskItem> load_task(const std::filesystem::path& path);

}  // namespace laconic
