// SPDX-License-Identifier: Apache-2.0
// The operators of expressions, as Python has them for the same types; integers stay within 64
// bits.
#pragma once

#include "text/jinja_ast.h"

namespace laconic::jinja {

Value apply_unary(UnaryOperator op, const Value& operand);
Value apply_binary(Budget& budget, BinaryOperator op, const Value& left, const Value& right);
bool apply_relation(Budget& budget, Relation relation, const Value& left, const Value& right);
bool contains(Budget& budget, const Value& container, const Value& item);
// object[start:stop:step]; an absent bound is none.
Value slice(Budget& budget, const Value& object, const Value& start, const Value& stop,
            const Value& step);

}  // namespace laconic::jinja
