// SPDX-License-Identifier: Apache-2.0
// Every template against Python's jinja2: the same text, and an error where Python has one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "test_paths.h"
#include "text/chat_template.h"
#include "text/template_snippets.h"

namespace laconic {
namespace {

using Json = nlohmann::ordered_json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// An interpreter that has jinja2; empty: none.
std::string python() {
  for (const char* name : {"/usr/bin/python3", "python3"}) {
    const std::string command = std::string(name) + " -c 'import jinja2' >/dev/null 2>&1";
    if (std::system(command.c_str()) == 0) return name;
  }
  return {};
}

Json oracle(const Json& cases) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "cases.json") << cases.dump();
  const auto script = test::test_data().parent_path() / "text" / "jinja_oracle.py";
  const std::string command = python() + " '" + script.string() + "' '" +
                              (folder / "cases.json").string() + "' '" +
                              (folder / "results.json").string() + "'";
  if (std::system(command.c_str()) != 0) return Json::array();
  return Json::parse(read(folder / "results.json"));
}

Json tool(const std::string& name) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", "Finds <things> & \"more\" of 北京"},
            {"parameters",
             {{"type", "object"},
              {"properties",
               {{"where", {{"type", "string"}, {"description", " A place "}}},
                {"how_many", {{"type", "integer"}, {"description", "Count"}}},
                {"deep",
                 {{"type", "object"},
                  {"description", "d"},
                  {"properties", {{"x", {{"type", "number"}, {"description", "y"}}}}},
                  {"additionalProperties", {{"type", "boolean"}}}}},
                {"either", {{"type", {"string", "number"}}, {"description", "e"}}}}},
              {"required", {"where"}}}}}}};
}

std::vector<Json> conversations() {
  const Json system = {{"role", "system"}, {"content", " Be brief.\n"}};
  const auto user = [](const std::string& text) {
    return Json{{"role", "user"}, {"content", text}};
  };
  const auto assistant = [](const std::string& text) {
    return Json{{"role", "assistant"}, {"content", text}};
  };
  const auto calls = [](Json content, Json arguments, std::size_t count) {
    Json message = {{"role", "assistant"}, {"content", std::move(content)}};
    message["tool_calls"] = Json::array();
    for (std::size_t i = 0; i < count; ++i) {
      message["tool_calls"].push_back({{"id", "abcdefgh" + std::to_string(i)},
                                       {"type", "function"},
                                       {"function", {{"name", "find"}, {"arguments", arguments}}}});
    }
    return message;
  };
  const auto result = [](Json content) {
    return Json{{"role", "tool"},
                {"name", "find"},
                {"tool_call_id", "abcdefgh0"},
                {"content", std::move(content)}};
  };
  const Json arguments = {{"where", "Zürich"}, {"how_many", 3}, {"f", 1.5}, {"n", nullptr}};
  return {
      Json::array({user("Hello")}),
      Json::array({system, user("Hello")}),
      Json::array({system}),
      Json::array({user("")}),
      Json::array({user("a"), assistant("b"), user("c")}),
      Json::array({system, user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")}),
      Json::array({user("a"), assistant("<think>\nhm\n</think>\n\nb")}),
      Json::array({user("a"), assistant("x</think>y</think>z"), user("  "), assistant("")}),
      Json::array({user("a"), assistant("b"), system, user("日本語 😀 \t<|x|>")}),
      Json::array({user("a"),
                   {{"role", "assistant"}, {"content", "b"}, {"reasoning_content", "\nwhy\n"}},
                   user("c")}),
      Json::array(
          {user("a"), {{"role", "assistant"}, {"content", "b"}, {"reasoning_content", "r"}}}),
      Json::array({user("a"), calls(nullptr, arguments, 1), result("42"), assistant("done")}),
      Json::array({user("a"), calls(nullptr, "{\"x\": 1}", 1), result("42"), user("b")}),
      Json::array({user("a"), calls(nullptr, "{\"x\": 1}", 2), result("1"), result("2")}),
      Json::array({user("a"), calls("so", arguments, 2), result("1"), result("2"), assistant("e")}),
      Json::array({system, user("a"), calls("", arguments, 1), result({{"k", {1, 2.0, "é"}}})}),
      Json::array({user("<tool_response>\nx</tool_response>"), assistant("b")}),
      Json::array({user("a"), user("b")}),
      Json::array({assistant("b"), user("a")}),
      Json::array({{{"role", "user"}}}),
      Json::array({{{"role", "other"}, {"content", "x"}}}),
      Json::array(),
  };
}

// Every conversation with and without tools, generation prompt and switches.
std::vector<Json> contexts() {
  std::vector<Json> out;
  for (const Json& messages : conversations()) {
    for (int variant = 0; variant < 10; ++variant) {
      Json context = {{"messages", messages},
                      {"bos_token", "<s>"},
                      {"eos_token", "</s>"},
                      {"date_string", "26 Jul 2024"}};
      if (variant % 2 == 0) context.update({{"functions", "[{}]"}, {"datetime", "2024-07-26"}});
      if (variant != 1) context["add_generation_prompt"] = variant % 2 == 0;
      if (variant == 2) context["enable_thinking"] = false;
      if (variant == 3) context["tools"] = nullptr;
      if (variant == 4) context["enable_thinking"] = true;
      if (variant >= 5) context["tools"] = Json::array({tool("find"), tool("other")});
      if (variant == 6) context["tools_in_user_message"] = false;
      if (variant == 7) context["builtin_tools"] = {"code_interpreter", "find"};
      if (variant == 8) context["tools"] = Json::array();
      if (variant == 9) context["documents"] = Json::array({{{"title", "t"}, {"text", "x"}}});
      out.push_back(std::move(context));
    }
  }
  return out;
}

// Compares all cases; `names` tells them apart in messages.
void compare(const Json& cases, const std::vector<std::string>& names) {
  const Json expected = oracle(cases);
  ASSERT_EQ(expected.size(), cases.size()) << "the oracle did not run";
  std::size_t texts = 0, shown = 0;
  for (std::size_t i = 0; i < cases.size() && shown < 20; ++i) {
    Json actual;
    try {
      const ChatTemplate parsed(cases[i]["template"].get_ref<const std::string&>());
      actual = {{"text", parsed.render(cases[i]["context"])}};
    } catch (const Error& error) {
      actual = {{"error", error.what()}};
    }
    // Strings marked as safe are refused where Jinja would escape what they are joined to.
    const bool refused = actual.contains("error") && actual["error"].get<std::string>().find(
                                                         "safe string") != std::string::npos;
    const bool agrees =
        actual.contains("text") ? actual == expected[i] : refused || expected[i].contains("error");
    texts += actual.contains("text") ? 1 : 0;
    if (agrees) continue;
    ++shown;
    ADD_FAILURE() << names[i] << "\nours:   " << actual.dump()
                  << "\npython: " << expected[i].dump();
  }
  EXPECT_GT(texts, cases.size() / 3) << "hardly any case rendered a text";
}

TEST(TemplateOracle, RealTemplatesRenderAsInPython) {
  const auto folder = test::shared_data() / "tokenizers";
  LACONIC_NEEDS(folder / "chat_templates");
  if (python().empty()) GTEST_SKIP() << "no python3 with jinja2";
  std::vector<std::filesystem::path> files = {folder / "qwen3" / "chat_template.jinja"};
  for (const auto& entry : std::filesystem::directory_iterator(folder / "chat_templates")) {
    if (entry.path().extension() == ".jinja") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Json cases = Json::array();
  std::vector<std::string> names;
  for (const auto& file : files) {
    for (const Json& context : contexts()) {
      cases.push_back({{"template", read(file)}, {"context", context}});
      names.push_back(file.filename().string() + " with " + context.dump());
    }
  }
  compare(cases, names);
}

TEST(TemplateOracle, SnippetsRenderAsInPython) {
  if (python().empty()) GTEST_SKIP() << "no python3 with jinja2";
  Json cases = Json::array();
  std::vector<std::string> names;
  for (const test::Snippet& snippet : test::snippets()) {
    cases.push_back({{"template", snippet.source}, {"context", test::snippet_context()}});
    names.push_back(snippet.source);
  }
  compare(cases, names);
}

}  // namespace
}  // namespace laconic
