// SPDX-License-Identifier: Apache-2.0
#include "train/error_text.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>
#include <utility>

namespace laconic::train {

std::string error_text(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return "the machine has too little free memory for this";
  }
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string text = torch->what_without_backtrace();
    return one_sentence(text.substr(0, text.find('\n')));
  }
  return one_sentence(error.what());
}

std::string one_sentence(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

}  // namespace laconic::train
