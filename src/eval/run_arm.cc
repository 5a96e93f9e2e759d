// SPDX-License-Identifier: Apache-2.0
#include "eval/run_arm.h"

#include <chrono>
#include <map>

#include "base/error.h"
#include "base/fnv.h"
#include "text/reasoning.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;

// One stream of draws per problem, whatever its place in the file or in the batch.
std::uint64_t stream_of(std::uint64_t stream, std::string_view id) {
  Fnv1a hash(stream);
  hash.add(id);
  return hash.value();
}

Sample make_sample(const TaskItem& item, const std::string& arm, const Generation& generation) {
  Sample sample;
  sample.arm = arm;
  sample.id = item.id;
  sample.family = item.family;
  sample.question = item.question;
  sample.gold = item.gold;
  sample.prompt_ids = generation.prompt_ids;
  sample.ids = generation.ids;
  sample.text = generation.text;
  sample.reasoning = generation.reasoning;
  sample.answer = generation.answer;
  sample.finish_reason = finish_reason_name(generation.finish_reason);
  sample.kv_peak_bytes = generation.kv.peak_bytes;
  sample.kv_mean_bytes = generation.kv.mean_bytes;
  sample.kv_compressions = generation.kv.compressions;
  sample.seconds = generation.timings.predicted_ms / 1e3;
  grade(sample);
  return sample;
}

std::vector<ArmPrompt> checked_prompts(const Model& model, std::span<const TaskItem> items,
                                       const ArmOptions& options) {
  const std::size_t own = options.session.context;
  const std::size_t context = own == 0 ? model.info().context : own;
  std::vector<ArmPrompt> prompts;
  prompts.reserve(items.size());
  for (const TaskItem& item : items) {
    prompts.push_back(arm_prompt(model, item, options));
    const std::size_t length = prompts.back().ids.size();
    if (length > context) {
      throw_usage("problem {} is too long: its prompt has {} tokens, the context holds {}", item.id,
                  length, context);
    }
  }
  return prompts;
}

// Keeps at most `batch` problems in a session and hands out what is finished.
class Arm {
 public:
  // Refuses a problem that cannot be asked.
  Arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options);

  ArmTotals run(const std::function<void(const Sample&)>& on_sample,
                const std::function<void(const ArmProgress&)>& on_step);

 private:
  SequenceId add(std::size_t item);
  void feed();
  void note(const StepEvent& event);
  void hand_out(const std::function<void(const Sample&)>& on_sample);

  std::span<const TaskItem> items_;
  const ArmOptions& options_;
  std::vector<ArmPrompt> prompts_;  // [item]
  Session session_;
  std::map<SequenceId, std::size_t> under_way_;  // index of its item
  std::vector<SequenceId> ended_;                // in this step
  std::size_t next_ = 0;
  ArmProgress progress_;
};

Arm::Arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options)
    : items_(items),
      options_(options),
      prompts_(checked_prompts(model, items, options)),
      session_(model, options.session) {
  if (options.batch == 0) throw_usage("a batch of 0 sequences decodes nothing: at least 1");
  // Whether a prompt fits is the session's to say; nothing is read before its first step.
  for (std::size_t i = 0; i < items.size(); ++i) session_.release(add(i));
}

SequenceId Arm::add(std::size_t item) {
  const std::string& id = items_[item].id;
  GenerateOptions generate = options_.generate;
  generate.reasoning_open = prompts_[item].reasoning_open;
  generate.sampling.stream = stream_of(generate.sampling.stream, id);
  try {
    return session_.add(prompts_[item].ids, generate);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("problem {}: {}", id, error.what()));
  }
}

void Arm::feed() {
  for (; next_ < items_.size() && under_way_.size() < options_.batch; ++next_) {
    under_way_.emplace(add(next_), next_);
  }
}

void Arm::note(const StepEvent& event) {
  if (event.id) ++progress_.tokens;
  if (event.finished != FinishReason::kNone) ended_.push_back(event.sequence);
}

void Arm::hand_out(const std::function<void(const Sample&)>& on_sample) {
  for (const SequenceId id : ended_) {
    const auto found = under_way_.find(id);
    const Sample sample = make_sample(items_[found->second], options_.name, session_.result(id));
    session_.release(id);
    under_way_.erase(found);
    ++progress_.finished;
    progress_.finished_tokens += sample.ids.size();
    if (sample.correct) ++progress_.correct;
    if (on_sample) on_sample(sample);
  }
  ended_.clear();
}

ArmTotals Arm::run(const std::function<void(const Sample&)>& on_sample,
                   const std::function<void(const ArmProgress&)>& on_step) {
  ArmTotals totals;
  const auto listen = [this](const StepEvent& event) { note(event); };
  feed();
  while (!under_way_.empty()) {
    const auto start = Clock::now();
    session_.step(listen);
    totals.decode_seconds += std::chrono::duration<double>(Clock::now() - start).count();
    hand_out(on_sample);
    feed();
    progress_.running = under_way_.size();
    if (on_step) on_step(progress_);
  }
  totals.tokens = progress_.tokens;
  return totals;
}

}  // namespace

ArmPrompt arm_prompt(const Model& model, const TaskItem& item, const ArmOptions& options) {
  std::string question = item.question;
  if (!options.instruction.empty()) question += "\n" + options.instruction;
  if (options.raw || !model.has_chat_template()) {
    return {model.tokenize(question), prompt_opens_reasoning(question)};
  }
  const ChatMessage message{"user", question};
  const std::string text = model.apply_chat_template({&message, 1}, options.reasoning);
  // A template writes the special tokens itself.
  return {model.tokenize(text, false), prompt_opens_reasoning(text)};
}

void check_arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options) {
  const Arm arm(model, items, options);
}

ArmTotals run_arm(const Model& model, std::span<const TaskItem> items, const ArmOptions& options,
                  const std::function<void(const Sample&)>& on_sample,
                  const std::function<void(const ArmProgress&)>& on_step) {
  return Arm(model, items, options).run(on_sample, on_step);
}

}  // namespace laconic
