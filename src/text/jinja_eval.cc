// SPDX-License-Identifier: Apache-2.0
#include "text/jinja_eval.h"

#include <ctime>
#include <memory>
#include <utility>

#include "base/error.h"
#include "text/jinja_ops.h"
#include "text/jinja_scope.h"

namespace laconic::jinja {
namespace {

// raise_exception of the template: its own words, not ours.
class Raised : public Failure {
  using Failure::Failure;
};

class Interpreter {
 public:
  explicit Interpreter(const Limits& limits) : budget_(limits), root_(nullptr) {}

  std::string render(const Block& tree, const nlohmann::ordered_json& context) {
    std::string out;
    try {
      for (const auto& [name, value] : context.items()) root_.set(name, from_json(budget_, value));
      run(tree, root_, out);
    } catch (const Raised& raised) {
      throw_input("the chat template refuses the conversation: {}", raised.what());
    } catch (const Failure& failure) {
      throw_input("chat template, line {}: {}", line_, failure.what());
    }
    return out;
  }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  class Depth {
   public:
    explicit Depth(std::size_t& depth) : depth_(depth) {
      if (++depth_ > kMaxEvaluationDepth) {
        --depth_;
        fail("the template calls itself or nests too deep");
      }
    }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    std::size_t& depth_;
  };

  // ---- statements ----

  Flow run(const Block& block, Scope& scope, std::string& out) {
    const Depth depth(depth_);
    for (const Statement& statement : block) {
      budget_.step();
      line_ = statement.line;
      const Flow flow =
          std::visit([&](const auto& node) { return run(node, scope, out); }, statement.node);
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  void write(std::string& out, const std::string& text) {
    if (text.size() > budget_.limits().output - out.size()) {
      fail("the text grows beyond {} bytes", budget_.limits().output);
    }
    budget_.bytes(text.size());
    out += text;
  }

  Flow run(const TextStatement& node, Scope&, std::string& out) {
    write(out, node.text);
    return Flow::kNext;
  }

  Flow run(const PrintStatement& node, Scope& scope, std::string& out) {
    const Value value = eval(*node.value, scope);
    const auto* markup = value.get_if<Markup>();
    write(out, markup ? *markup->text : to_text(budget_, value));
    return Flow::kNext;
  }

  Flow run(const IfStatement& node, Scope& scope, std::string& out) {
    for (const auto& [condition, block] : node.branches) {
      if (truth(eval(*condition, scope))) return run(block, scope, out);
    }
    return run(node.otherwise, scope, out);
  }

  Flow run(const ForStatement& node, Scope& scope, std::string& out) {
    const auto loop = std::make_shared<Loop>();
    loop->items = iterate(budget_, eval(*node.items, scope));
    if (node.condition) loop->items = filtered(node, *loop->items, scope);
    if (loop->items->depth >= kMaxValueDepth) {
      fail("values are nested more than {} deep", kMaxValueDepth);
    }
    if (loop->items->items.empty()) {
      Scope inner(&scope);
      return run(node.otherwise, inner, out);
    }
    for (; loop->index < loop->items->items.size(); ++loop->index) {
      budget_.step();
      Scope inner(&scope);
      assign(node.target, loop->items->items[loop->index], inner);
      inner.set("loop", Value(LoopPtr(loop)));
      if (run(node.body, inner, out) == Flow::kBreak) break;
    }
    return Flow::kNext;
  }

  SequencePtr filtered(const ForStatement& node, const Sequence& items, Scope& scope) {
    std::vector<Value> kept;
    for (const Value& item : items.items) {
      Scope inner(&scope);
      assign(node.target, item, inner);
      if (truth(eval(*node.condition, inner))) kept.push_back(item);
    }
    return *make_sequence(budget_, std::move(kept)).get_if<SequencePtr>();
  }

  Flow run(const SetStatement& node, Scope& scope, std::string&) {
    Value value;
    if (node.value) {
      value = eval(*node.value, scope);
    } else {
      value = make_string(budget_, body_text(node.body, scope));
      if (node.filter) value = filter_body(*node.filter, value, scope);
    }
    if (node.attribute.empty()) {
      assign(node.target, std::move(value), scope);
      return Flow::kNext;
    }
    const Value* target = scope.find(node.target.name);
    const auto* space = target ? target->get_if<Namespace*>() : nullptr;
    if (!space) fail("\"{}\" is not a namespace", node.target.name);
    set_attribute(**space, node.attribute, std::move(value));
    return Flow::kNext;
  }

  void set_attribute(Namespace& space, const std::string& name, Value value) {
    for (auto& [known, slot] : space.attributes) {
      if (known != name) continue;
      slot = std::move(value);
      return;
    }
    budget_.bytes(name.size() + sizeof(Value));
    space.attributes.emplace_back(name, std::move(value));
  }

  std::string body_text(const Block& body, Scope& scope) {
    std::string text;
    Scope inner(&scope);
    run(body, inner, text);
    return text;
  }

  // A chain of filters whose innermost input is the text of a block.
  Value filter_body(const Expression& filter, const Value& text, Scope& scope) {
    const auto& call = std::get<FilterCall>(filter.node);
    const Value input = call.input ? filter_body(*call.input, text, scope) : text;
    return call.function(budget_, input, eval_arguments(call.arguments, scope));
  }

  Flow run(const std::unique_ptr<MacroStatement>& node, Scope& scope, std::string&) {
    scope.set(node->name, Value(static_cast<const MacroStatement*>(node.get())));
    return Flow::kNext;
  }

  Flow run(const FilterStatement& node, Scope& scope, std::string& out) {
    const Value text = make_string(budget_, body_text(node.body, scope));
    const Value value = filter_body(*node.filter, text, scope);
    const auto* markup = value.get_if<Markup>();
    write(out, markup ? *markup->text : to_text(budget_, value));
    return Flow::kNext;
  }

  Flow run(const WithStatement& node, Scope& scope, std::string& out) {
    Scope inner(&scope);
    for (const auto& [target, value] : node.bindings) assign(target, eval(*value, scope), inner);
    return run(node.body, inner, out);
  }

  Flow run(const BreakStatement&, Scope&, std::string&) { return Flow::kBreak; }
  Flow run(const ContinueStatement&, Scope&, std::string&) { return Flow::kContinue; }

  void assign(const Target& target, Value value, Scope& scope) {
    if (!target.name.empty()) return scope.set(target.name, std::move(value));
    const SequencePtr items = iterate(budget_, value);
    if (items->items.size() != target.parts.size()) {
      fail("{} values cannot be given to {} names", items->items.size(), target.parts.size());
    }
    for (std::size_t i = 0; i < target.parts.size(); ++i) {
      assign(target.parts[i], items->items[i], scope);
    }
  }

  // ---- expressions ----

  Value eval(const Expression& expression, Scope& scope) {
    const Depth depth(depth_);
    budget_.step();
    line_ = expression.line;
    return std::visit([&](const auto& node) { return eval(node, scope); }, expression.node);
  }

  Value eval(const Literal& node, Scope&) { return node.value; }

  Value eval(const Name& node, Scope& scope) {
    if (const Value* value = scope.find(node.name)) return *value;
    if (node.name == "range") return Value(Builtin::kRange);
    if (node.name == "dict") return Value(Builtin::kDict);
    if (node.name == "namespace") return Value(Builtin::kNamespace);
    if (node.name == "raise_exception") return Value(Builtin::kRaiseException);
    if (node.name == "strftime_now") return Value(Builtin::kStrftimeNow);
    return make_undefined(fmt::format("\"{}\" is undefined", node.name));
  }

  Value eval(const SequenceLiteral& node, Scope& scope) {
    std::vector<Value> items;
    for (const auto& item : node.items) items.push_back(eval(*item, scope));
    return make_sequence(budget_, std::move(items), node.kind);
  }

  Value eval(const DictLiteral& node, Scope& scope) {
    std::vector<std::pair<Value, Value>> items;
    for (const auto& [key, value] : node.items) {
      Value name = eval(*key, scope);
      items.emplace_back(std::move(name), eval(*value, scope));
    }
    return make_dict(budget_, std::move(items));
  }

  Value eval(const Attribute& node, Scope& scope) {
    return get_attribute(budget_, eval(*node.object, scope), node.name);
  }

  Value eval(const Item& node, Scope& scope) {
    const Value object = eval(*node.object, scope);
    return get_item(budget_, object, eval(*node.index, scope));
  }

  Value eval(const Slice& node, Scope& scope) {
    const auto bound = [&](const ExpressionPtr& part) {
      return part ? eval(*part, scope) : Value(None{});
    };
    const Value object = eval(*node.object, scope);
    const Value start = bound(node.start), stop = bound(node.stop), step = bound(node.step);
    return slice(budget_, object, start, stop, step);
  }

  Arguments eval_arguments(const CallArguments& arguments, Scope& scope) {
    Arguments out;
    for (const auto& value : arguments.positional) out.positional.push_back(eval(*value, scope));
    for (const auto& [name, value] : arguments.keyword) {
      out.keyword.emplace_back(name, eval(*value, scope));
    }
    return out;
  }

  Value eval(const FilterCall& node, Scope& scope) {
    const Value input = eval(*node.input, scope);
    return node.function(budget_, input, eval_arguments(node.arguments, scope));
  }

  Value eval(const TestCall& node, Scope& scope) {
    const Value input = eval(*node.input, scope);
    const Arguments arguments = eval_arguments(node.arguments, scope);
    return Value(node.function(budget_, input, arguments) != node.negated);
  }

  Value eval(const Unary& node, Scope& scope) {
    return apply_unary(node.op, eval(*node.operand, scope));
  }

  Value eval(const Binary& node, Scope& scope) {
    const Value left = eval(*node.left, scope);
    return apply_binary(budget_, node.op, left, eval(*node.right, scope));
  }

  Value eval(const Logic& node, Scope& scope) {
    Value left = eval(*node.left, scope);
    return truth(left) == node.is_and ? eval(*node.right, scope) : left;
  }

  Value eval(const Comparison& node, Scope& scope) {
    Value left = eval(*node.first, scope);
    for (const auto& [relation, operand] : node.rest) {
      Value right = eval(*operand, scope);
      if (!apply_relation(budget_, relation, left, right)) return Value(false);
      left = std::move(right);
    }
    return Value(true);
  }

  Value eval(const Concatenation& node, Scope& scope) {
    std::string text;
    for (const auto& part : node.parts) {
      const std::string piece = to_text(budget_, eval(*part, scope));
      budget_.bytes(piece.size());
      text += piece;
    }
    return make_string(budget_, std::move(text));
  }

  Value eval(const Conditional& node, Scope& scope) {
    if (truth(eval(*node.test, scope))) return eval(*node.then, scope);
    if (node.otherwise) return eval(*node.otherwise, scope);
    return make_undefined("an if without else gave no value");
  }

  // ---- calls ----

  Value eval(const Call& node, Scope& scope) {
    const Value callee = eval(*node.callee, scope);
    const Arguments arguments = eval_arguments(node.arguments, scope);
    if (const auto* method = callee.get_if<MethodPtr>()) {
      return call_method(budget_, **method, arguments);
    }
    if (const auto* macro = callee.get_if<const MacroStatement*>()) {
      return call_macro(**macro, arguments);
    }
    if (const auto* builtin = callee.get_if<Builtin>()) return call_builtin(*builtin, arguments);
    if (const auto* undefined = callee.get_if<Undefined>()) {
      fail("{}", undefined->what ? *undefined->what : "a value is undefined");
    }
    fail("a {} cannot be called", type_name(callee));
  }

  Value call_macro(const MacroStatement& macro, const Arguments& arguments) {
    if (arguments.positional.size() > macro.parameters.size()) {
      fail("the macro \"{}\" takes at most {} arguments, not {}", macro.name,
           macro.parameters.size(), arguments.positional.size());
    }
    for (const auto& [name, value] : arguments.keyword) {
      std::size_t i = 0;
      while (i < macro.parameters.size() && macro.parameters[i].first != name) ++i;
      if (i == macro.parameters.size()) {
        fail("the macro \"{}\" has no parameter \"{}\"", macro.name, name);
      }
      if (i < arguments.positional.size()) {
        fail("the macro \"{}\" is given \"{}\" twice", macro.name, name);
      }
    }
    const std::size_t line = line_;
    Scope scope(&root_);
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
      const auto& [name, fallback] = macro.parameters[i];
      scope.set(name, argument(arguments, i, name, fallback.get(), scope));
    }
    std::string text;
    run(macro.body, scope, text);
    line_ = line;
    return make_string(budget_, std::move(text));
  }

  Value argument(const Arguments& arguments, std::size_t i, const std::string& name,
                 const Expression* fallback, Scope& scope) {
    if (i < arguments.positional.size()) return arguments.positional[i];
    for (const auto& [known, value] : arguments.keyword) {
      if (known == name) return value;
    }
    if (fallback) return eval(*fallback, scope);
    return make_undefined(fmt::format("the parameter \"{}\" was not given", name));
  }

  Value call_builtin(Builtin builtin, const Arguments& arguments) {
    switch (builtin) {
      case Builtin::kRange:
        return make_range(arguments);
      case Builtin::kDict:
        return make_dict(budget_, named_values("dict", arguments));
      case Builtin::kNamespace: {
        budget_.bytes(sizeof(Namespace));
        namespaces_.push_back(std::make_unique<Namespace>());
        for (auto& [key, value] : named_values("namespace", arguments)) {
          if (!key.string()) fail("the names of a namespace are strings");
          set_attribute(*namespaces_.back(), *key.string(), std::move(value));
        }
        return Value(namespaces_.back().get());
      }
      case Builtin::kRaiseException: {
        const Bound bound("raise_exception", arguments, {"message"}, 1);
        throw Raised(to_text(budget_, *bound[0]));
      }
      case Builtin::kStrftimeNow:
        return time_text(arguments);
    }
    return {};
  }

  // The items of a mapping argument, then the named arguments.
  std::vector<std::pair<Value, Value>> named_values(const char* function,
                                                    const Arguments& arguments) {
    std::vector<std::pair<Value, Value>> out;
    if (!arguments.positional.empty()) {
      const Dict* dict = arguments.positional[0].dict();
      if (!dict || arguments.positional.size() > 1) fail("{} takes one mapping", function);
      budget_.bytes(dict->items.size(), sizeof(dict->items[0]));
      out = dict->items;
    }
    for (const auto& [name, value] : arguments.keyword) {
      out.emplace_back(make_string(budget_, name), value);
    }
    return out;
  }

  Value make_range(const Arguments& arguments) {
    const Bound bound("range", arguments, {"start", "stop", "step"}, 1);
    if (!arguments.keyword.empty()) fail("range takes no named arguments");
    const std::int64_t first = bound.integer(0, 0);
    const std::int64_t start = bound[1] ? first : 0;
    const std::int64_t stop = bound[1] ? bound.integer(1, 0) : first;
    const std::int64_t step = bound.integer(2, 1);
    if (step == 0) fail("the step of range must not be 0");
    std::vector<Value> items;
    std::int64_t at = start;
    while (step > 0 ? at < stop : at > stop) {
      if (items.size() == kMaxRange) fail("range is longer than {}", kMaxRange);
      budget_.step();
      items.emplace_back(at);
      if (__builtin_add_overflow(at, step, &at)) break;
    }
    return make_sequence(budget_, std::move(items), SequenceKind::kRange);
  }

  Value time_text(const Arguments& arguments) {
    const Bound bound("strftime_now", arguments, {"format"}, 1);
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    localtime_r(&now, &parts);
    // A leading character tells an empty result from one that does not fit.
    const std::string format = "." + bound.string(0);
    std::string text(4096, '\0');
    const std::size_t size = std::strftime(text.data(), text.size(), format.c_str(), &parts);
    if (size == 0) fail("the format of strftime_now gives more than {} bytes", text.size());
    return make_string(budget_, text.substr(1, size - 1));
  }

  Budget budget_;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
  Scope root_;
  std::size_t depth_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::string render(const Block& tree, const nlohmann::ordered_json& context, const Limits& limits) {
  return Interpreter(limits).render(tree, context);
}

}  // namespace laconic::jinja
