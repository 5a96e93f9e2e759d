// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "text/jinja_expression_parser.h"
#include "text/jinja_token_stream.h"

namespace laconic::jinja {
namespace {

using EndNames = std::initializer_list<std::string_view>;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)), expressions_(tokens_) {}

  Block run() { return block({}); }

 private:
  // Statements up to a tag that begins with one of `ends`, whose name stays to be read; without
  // `ends` up to the end of the template.
  Block block(EndNames ends) {
    if (++depth_ > kMaxSyntaxDepth) {
      tokens_.error("blocks are nested more than {} deep", kMaxSyntaxDepth);
    }
    Block out;
    while (true) {
      const std::size_t line = tokens_.line();
      if (tokens_.is(TokenKind::kEnd)) {
        if (ends.size() != 0) tokens_.error("\"{}\" is missing", *(ends.end() - 1));
        break;
      }
      if (tokens_.is(TokenKind::kText)) {
        out.push_back({line, TextStatement{tokens_.next().text}});
      } else if (tokens_.is(TokenKind::kPrintBegin)) {
        tokens_.next();
        ExpressionPtr value = expressions_.tuple();
        tokens_.expect(TokenKind::kPrintEnd, "\"}}\"");
        out.push_back({line, PrintStatement{std::move(value)}});
      } else {
        tokens_.next();
        if (std::any_of(ends.begin(), ends.end(),
                        [&](std::string_view name) { return tokens_.is_name(name); })) {
          break;
        }
        const bool has_body = statement(line, out);
        if (has_body) tokens_.next();  // the name of its end tag
        tokens_.expect(TokenKind::kBlockEnd, "the end of the tag");
      }
    }
    --depth_;
    return out;
  }

  Block body(EndNames ends) {
    tokens_.expect(TokenKind::kBlockEnd, "the end of the tag");
    return block(ends);
  }

  Block scoped_body(EndNames ends) {
    ++scopes_;
    Block out = body(ends);
    --scopes_;
    return out;
  }

  // A block in which break and continue may not stand.
  Block body_outside_loops(EndNames ends) {
    const std::size_t loops = std::exchange(loops_, 0);
    Block out = scoped_body(ends);
    loops_ = loops;
    return out;
  }

  // Adds one statement. True when it has an end tag, whose name is next.
  bool statement(std::size_t line, Block& out) {
    const std::string name = tokens_.expect_name();
    if (name == "if") {
      out.push_back({line, if_statement()});
    } else if (name == "for") {
      out.push_back({line, for_statement()});
    } else if (name == "set") {
      return set_statement(line, out);
    } else if (name == "macro") {
      out.push_back({line, macro_statement()});
    } else if (name == "filter") {
      FilterStatement filter{expressions_.filters(nullptr, true), {}};
      filter.body = body_outside_loops({"endfilter"});
      out.push_back({line, std::move(filter)});
    } else if (name == "with") {
      out.push_back({line, with_statement()});
    } else if (name == "generation") {
      out.push_back({line, WithStatement{{}, body_outside_loops({"endgeneration"})}});
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) tokens_.error("\"{}\" stands outside of a loop", name);
      name == "break" ? out.push_back({line, BreakStatement{}})
                      : out.push_back({line, ContinueStatement{}});
      return false;
    } else {
      tokens_.error(
          "the statement \"{}\" is not supported; known are if, for, set, macro, filter, with, "
          "raw, "
          "generation, break and continue",
          name);
    }
    return true;
  }

  IfStatement if_statement() {
    IfStatement out;
    do {
      ExpressionPtr condition = expressions_.tuple(ExpressionParser::Conditionals::kNotHere);
      Block then = body({"elif", "else", "endif"});
      out.branches.emplace_back(std::move(condition), std::move(then));
    } while (tokens_.skip_name("elif"));
    if (tokens_.skip_name("else")) out.otherwise = body({"endif"});
    return out;
  }

  ForStatement for_statement() {
    ForStatement out;
    out.target = expressions_.target("in");
    if (!tokens_.skip_name("in")) tokens_.error("\"in\" is expected before {}", tokens_.found());
    out.items = expressions_.tuple(ExpressionParser::Conditionals::kNotHere, false, "recursive");
    if (tokens_.skip_name("if")) out.condition = expressions_.expression();
    if (tokens_.is_name("recursive")) tokens_.error("recursive loops are not supported");
    ++loops_;
    out.body = scoped_body({"else", "endfor"});
    --loops_;
    if (tokens_.skip_name("else")) out.otherwise = scoped_body({"endfor"});
    return out;
  }

  bool set_statement(std::size_t line, Block& out) {
    SetStatement set;
    const Token& dot = tokens_.peek(1);
    if (dot.kind == TokenKind::kOperator && dot.text == ".") {
      set.target.name = tokens_.expect_name();
      tokens_.next();
      set.attribute = tokens_.expect_name();
    } else {
      set.target = expressions_.target();
    }
    const bool has_body = !tokens_.skip_operator("=");
    if (has_body) {
      if (tokens_.is_operator("|")) set.filter = expressions_.filters(nullptr, false);
      set.body = body_outside_loops({"endset"});
    } else {
      set.value = expressions_.tuple();
    }
    out.push_back({line, std::move(set)});
    return has_body;
  }

  std::unique_ptr<MacroStatement> macro_statement() {
    // A macro reads the names around its definition: at the top those last as long as it does.
    if (scopes_ > 0) {
      tokens_.error("a macro may only be defined at the top level of a template");
    }
    auto out = std::make_unique<MacroStatement>();
    out->name = tokens_.expect_name();
    tokens_.expect_operator("(");
    while (!tokens_.is_operator(")")) {
      if (!out->parameters.empty()) tokens_.expect_operator(",");
      std::string name = tokens_.expect_name();
      ExpressionPtr fallback;
      if (tokens_.skip_operator("=")) {
        fallback = expressions_.expression();
      } else if (!out->parameters.empty() && out->parameters.back().second) {
        tokens_.error("a parameter without a default follows one with a default");
      }
      out->parameters.emplace_back(std::move(name), std::move(fallback));
    }
    tokens_.expect_operator(")");
    out->body = body_outside_loops({"endmacro"});
    return out;
  }

  WithStatement with_statement() {
    WithStatement out;
    while (!tokens_.is(TokenKind::kBlockEnd)) {
      if (!out.bindings.empty()) tokens_.expect_operator(",");
      Target target = expressions_.target();
      tokens_.expect_operator("=");
      out.bindings.emplace_back(std::move(target), expressions_.expression());
    }
    out.body = scoped_body({"endwith"});
    return out;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  std::size_t depth_ = 0;   // blocks around the current place
  std::size_t loops_ = 0;   // loops that break could leave
  std::size_t scopes_ = 0;  // blocks around it whose names end with them
};

}  // namespace

Block parse_template(std::string_view source) { return Parser(source).run(); }

}  // namespace laconic::jinja
