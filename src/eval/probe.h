// SPDX-License-Identifier: Apache-2.0
// The passcode study: does a model still know a number that it read once, after its cache has been
// compressed so many times?
//
// Problems of the passcode family ask for a code that was stated in the question, or worked out in
// the first lines of the answer, after a computation that has nothing to do with it
// (data/problem.h). Their lengths are chosen so that between the code and its question, in the
// written solution, the schedule of the first arm that evicts while decoding compresses once,
// twice, and so on. Where code and question really stood is looked up in each answer, since models
// write as they like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/run_arm.h"
#include "eval/task.h"
#include "laconic/kv_options.h"
#include "laconic/model.h"

namespace laconic {

enum class CodeOrigin { kStated, kWorkedOut };  // in the prompt; in the answer
inline constexpr CodeOrigin kCodeOrigins[] = {CodeOrigin::kStated, CodeOrigin::kWorkedOut};
std::string_view code_origin_name(CodeOrigin origin);  // "stated", "worked out"

struct ProbeOptions {
  std::size_t counts = 20;     // compressions between code and question: 1..counts
  std::size_t problems = 20;   // of each count and origin
  std::size_t most_steps = 0;  // longest problem, in steps of its counter; 0: as the context allows
  std::uint64_t seed = 1;
};

// Where a code stands in an answer, in generated tokens that were read before.
struct CodeSpan {
  std::size_t known = 0;  // rows of the answer once the code stands; 0: it stands in the prompt
  std::size_t asked = 0;  // rows of the answer when the first token of the code is due again
};

struct ProbeItem {
  CodeOrigin origin = CodeOrigin::kStated;
  std::string code;        // "the red box"
  std::size_t count = 0;   // compressions that it was drawn for, the same for every arm
  std::size_t prompt = 0;  // tokens
  CodeSpan planned;        // in the written solution
};

// A count for which there are fewer problems than asked for.
struct ProbeGap {
  enum class Reason {
    kTooLong,   // longer problems do not fit the context, or a limit that was given
    kTooShort,  // the shortest problem is too long
    kBetween,   // a step of the counter brings more than one compression
  };
  CodeOrigin origin = CodeOrigin::kStated;
  std::size_t count = 0, drawn = 0;
  Reason reason = Reason::kTooLong;
};

struct ProbePlan {
  std::vector<TaskItem> task;    // [problem]
  std::vector<ProbeItem> items;  // [problem]
  std::vector<ProbeGap> gaps;
};

// Whether a cache is compressed again and again while an answer grows.
bool compresses_again(const KvOptions& options);

// Problems for all arms, by the schedule of the first one that compresses again; more `problems` or
// `counts` only add to them. Error(kUsage) when no arm does, or no problem fits the context.
ProbePlan plan_probe(const Model& model, std::span<const ArmOptions> arms,
                     const ProbeOptions& options);

// The schedule by which compressions in an arm's answers are counted: its own, or where it has none
// that of the first arm that compresses again; null when none does.
const KvOptions* probe_schedule(std::span<const ArmOptions> arms, std::size_t arm);

// Compressions by that schedule between the two places, the prompt's own included.
std::size_t compressions_between(const KvOptions& schedule, std::size_t prompt,
                                 const CodeSpan& span);

// Where the answer first says that code and where it says it last; nothing when the one or the
// other is missing. `pieces` [generated token]: the bytes of each.
std::optional<CodeSpan> find_code(std::span<const std::string_view> pieces, CodeOrigin origin,
                                  std::string_view code);

// The same of generated ids. The model needs a tokenizer.
std::optional<CodeSpan> find_code(const Model& model, std::span<const std::int32_t> ids,
                                  CodeOrigin origin, std::string_view code);

}  // namespace laconic
