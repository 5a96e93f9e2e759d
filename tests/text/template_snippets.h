// SPDX-License-Identifier: Apache-2.0
// Small templates with the text they give; one list for the tests with and without Python.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace laconic::test {

struct Snippet {
  std::string source;
  std::optional<std::string> text;  // nothing: an error
};

std::vector<Snippet> snippets();
nlohmann::ordered_json snippet_context();

}  // namespace laconic::test
