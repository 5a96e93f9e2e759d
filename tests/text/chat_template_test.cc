// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/error.h"
#include "text/jinja_eval.h"
#include "text/jinja_parser.h"
#include "text/template_snippets.h"

namespace laconic {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

std::string render(const std::string& source, const Json& context = Json::object()) {
  return ChatTemplate(source).render(context);
}

std::string message_of(const std::string& source, const Json& context = Json::object()) {
  try {
    render(source, context);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "no error";
}

TEST(ChatTemplate, SnippetsGiveTheirText) {
  const Json context = test::snippet_context();
  for (const test::Snippet& snippet : test::snippets()) {
    std::optional<std::string> text;
    std::string error;
    try {
      text = render(snippet.source, context);
    } catch (const Error& caught) {
      error = caught.what();
    }
    EXPECT_EQ(text.has_value(), snippet.text.has_value()) << snippet.source << "\n" << error;
    if (text && snippet.text) {
      EXPECT_EQ(*text, *snippet.text) << snippet.source;
    }
  }
}

TEST(ChatTemplate, RendersOneTemplateManyTimes) {
  const ChatTemplate greeting("{% set x = (x or 0) + 1 %}{{ x }}{{ name }}");
  EXPECT_EQ(greeting.render({{"name", "a"}}), "1a");
  EXPECT_EQ(greeting.render({{"name", "b"}}), "1b");
}

TEST(ChatTemplate, ErrorsNameTheLineAndTheCause) {
  EXPECT_EQ(message_of("a\n{{ x.y }}"), "chat template, line 2: \"x\" is undefined");
  EXPECT_THAT(message_of("\n\n{% include 'x' %}"), HasSubstr("line 3"));
  EXPECT_THAT(message_of("{% include 'x' %}"), HasSubstr("\"include\" is not supported"));
  EXPECT_THAT(message_of("{{ 1|urlize }}"), HasSubstr("the filter \"urlize\" is not supported"));
  EXPECT_THAT(message_of("{{ 1 is prime }}"), HasSubstr("the test \"prime\" is not supported"));
  EXPECT_THAT(message_of("{% if a %}"), HasSubstr("\"endif\" is missing"));
  EXPECT_THAT(message_of("{{ f(*a) }}"), HasSubstr("* or **"));
  EXPECT_THAT(message_of("{% for x in y recursive %}{% endfor %}"), HasSubstr("recursive"));
  EXPECT_THAT(message_of("{% for x in [1] %}{% macro f() %}{% endmacro %}{% endfor %}"),
              HasSubstr("top level"));
  EXPECT_EQ(render("{{ '<'|e }}{{ '<'|safe }}"), "&lt;<");
  EXPECT_THAT(message_of("{{ 'a'|safe + 'b' }}"), HasSubstr("safe string"));
  EXPECT_THAT(message_of("{{ 'a'|safe ~ 'b' }}"), HasSubstr("safe string"));
  EXPECT_THAT(message_of("{{ '%s' % 1 }}"), HasSubstr("formatting"));
  EXPECT_EQ(message_of("{{ raise_exception('roles must alternate') }}"),
            "the chat template refuses the conversation: roles must alternate");
}

TEST(ChatTemplate, TheContextMustBeAnObject) {
  EXPECT_THROW(render("x", Json::array()), Error);
  EXPECT_THAT(message_of("{{ n }}", {{"n", 18446744073709551615u}}), HasSubstr("64 bits"));
}

TEST(ChatTemplate, TheDateIsAFunction) {
  EXPECT_EQ(render("{{ strftime_now('%Y')|length }}{{ strftime_now('') }}"), "4");
  EXPECT_EQ(render("{{ strftime_now is defined }}"), "True");
}

TEST(ChatTemplate, InvalidUtf8BecomesTheReplacementCharacter) {
  EXPECT_EQ(render("\xff{{ x }}", {{"x", "a\xc3"}}),
            "\xef\xbf\xbd"
            "a\xef\xbf\xbd");
}

TEST(ChatTemplate, IntegersStayWithin64Bits) {
  EXPECT_THAT(message_of("{{ 9223372036854775807 + 1 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(message_of("{{ 3 ** 60 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(message_of("{{ (-9223372036854775807 - 1) // -1 }}"), HasSubstr("64 bits"));
  EXPECT_THAT(message_of("{{ -(-9223372036854775807 - 1) }}"), HasSubstr("64 bits"));
  EXPECT_THAT(message_of("{{ 99999999999999999999 }}"), HasSubstr("64 bits"));
  EXPECT_EQ(render("{{ (-9223372036854775807 - 1) % -1 }}"), "0");
}

// Templates that would run, grow or nest for ever end in an Error, and soon.
TEST(ChatTemplate, HostileTemplatesEnd) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string many = "{% for a in range(90000) %}";
  const std::string end = "{% endfor %}";
  const std::string hostile[] = {
      "{{ 'x' * 99999999999 }}",
      "{{ [1] * 99999999999 }}",
      "{{ [] * 9223372036854775807 }}{{ 'x' * 9223372036854775807 }}",
      "{{ range(99999999) }}",
      many + many + many + end + end + end,
      "{% set ns = namespace(x='ab') %}" + many + "{% set ns.x = ns.x + ns.x %}" + end,
      "{% set ns = namespace(x=[]) %}" + many + "{% set ns.x = [ns.x] %}" + end + "{{ ns.x }}",
      "{% set ns = namespace(x=[1]) %}" + many + "{% set ns.x = {'a': ns.x} %}" + end,
      "{% set ns = namespace(x=[]) %}{% for a in range(100) %}{% set ns.x = [ns.x, ns.x] %}" + end +
          "{{ ns.x }}",
      "{% set ns = namespace(x=[], y=[]) %}{% for a in range(100) %}{% set ns.x = [ns.x, ns.x] %}"
      "{% set ns.y = [ns.y, ns.y] %}" +
          end + "{{ ns.x == ns.y }}",
      "{% set ns = namespace() %}{% for a in range(90000) %}{% for b in [ns.l] %}"
      "{% set ns.l = loop %}" +
          end + end,
      "{% set ns = namespace(f=1) %}" + many + "{% set ns.f = {'a': ns.f}.get %}" + end,
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
      "{% set s = 'x' * 60000 %}" + many + "{{ s }}" + end,
      "{{ ('x' * 60000)|replace('', 'y' * 60000) }}",
      "{{ ('x\n' * 60000)|indent(60000) }}",
      "{{ range(90000)|join('x' * 60000) }}",
      "{{ [[[[1]]]]|tojson(indent='x' * 90000000) }}",
      "{{ 1.5|round(999999999) }}",
      "{{ strftime_now('%Y' * 5000) }}",
      "{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}",
      "{{ " + std::string(100000, '[') + " }}",
      "{{ " + std::string(100000, '-') + "1 }}",
      "{% set (" + std::string(100000, '('),
      [] {
        std::string text = "{{ 1";
        for (int i = 0; i < 100000; ++i) text += "+1";
        return text + " }}";
      }(),
      [] {
        std::string text = "{{ a";
        for (int i = 0; i < 100000; ++i) text += ".a|e";
        return text + " }}";
      }(),
      [] {
        std::string text;
        for (int i = 0; i < 100000; ++i) text += "{% if 1 %}";
        return text;
      }(),
  };
  jinja::Limits limits;  // small ones, so that all of these end at once
  limits.steps = 300'000;
  limits.bytes = std::size_t{16} << 20;
  limits.output = std::size_t{1} << 20;
  for (const std::string& source : hostile) {
    EXPECT_THROW(jinja::render(jinja::parse_template(source), Json::object(), limits), Error)
        << source.substr(0, 200);
  }
  EXPECT_NE(message_of(many + many + end + end), "no error");
  Json deep = 1;
  for (int i = 0; i < 100000; ++i) deep = Json::array({std::move(deep)});
  EXPECT_NE(message_of("x", {{"deep", std::move(deep)}}), "no error");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

}  // namespace
}  // namespace laconic
