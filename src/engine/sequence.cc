// SPDX-License-Identifier: Apache-2.0
#include "engine/sequence.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/mix.h"
#include "engine/loop_detector.h"

namespace laconic {
namespace {

bool contains(std::span<const std::int32_t> ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// What tells this answer's draws in the cache apart from others': the text in front of it and the
// stream, nothing of the session. The same prompt loses the same rows whatever stands beside it,
// different prompts, turns and samples lose rows independently.
std::uint64_t key_of_draws(std::span<const std::int32_t> text, std::uint64_t stream) {
  std::uint64_t key = mix_key({stream});
  for (const std::int32_t id : text) key = mix_key({key, static_cast<std::uint64_t>(id)});
  return key;
}

}  // namespace

Sequence::Sequence(const Model::Impl& model, std::size_t context)
    : model_(model), context_(context) {}

void Sequence::check(std::span<const std::int32_t> prompt, const GenerateOptions& options) const {
  if (model_.tokenizer_or_null() == nullptr &&
      (!options.stop.empty() || options.reasoning_budget >= 0)) {
    throw_usage("--stop and --reasoning-budget need a tokenizer, which this checkpoint lacks");
  }
  if (options.max_tokens < -1 || options.reasoning_budget < -1) {
    throw_usage("-n {} and --reasoning-budget {}: at least 0, or -1 for no limit",
                options.max_tokens, options.reasoning_budget);
  }
  const bool other_end = options.max_tokens >= 0 || !options.stop.empty() ||
                         !options.stop_tokens.empty() || options.stop_on_loop ||
                         options.reasoning_budget >= 0;
  if (!options.force_ids.empty() && other_end) {
    throw_usage("--force-ids ends with its last id: limits, stops and budgets have no effect");
  }
  const std::size_t vocab = model_.weights.config.vocab;
  for (const auto& ids : {prompt, std::span<const std::int32_t>(options.force_ids),
                          std::span<const std::int32_t>(options.stop_tokens)}) {
    for (const std::int32_t id : ids) {
      if (id < 0 || static_cast<std::size_t>(id) >= vocab) {
        throw_usage("token id {} is not in the vocabulary: 0 to {} are", id, vocab - 1);
      }
    }
  }
  if (history_.empty() && prompt.empty()) {
    throw_usage("the prompt is empty: at least one token is needed");
  }
  if (read_before() && prompt.empty() && last_logits_.empty()) {
    throw_usage("nothing is left to read in this text: at least one more token is needed");
  }
  if (options.answered > (prompt.empty() ? history_.size() : 0)) {
    throw_usage("an answer of {} tokens cannot go on: {}", options.answered,
                prompt.empty() ? fmt::format("the text has {}", history_.size())
                               : "a prompt comes after it");
  }
  if (history_.size() + prompt.size() > context_) {
    throw_usage("the prompt is too long: {} tokens, the context holds {}",
                history_.size() + prompt.size(), context_);
  }
}

void Sequence::start(std::span<const std::int32_t> prompt, const GenerateOptions& options) {
  check(prompt, options);
  const Tokenizer* tokenizer = model_.tokenizer_or_null();
  history_.insert(history_.end(), prompt.begin(), prompt.end());
  const auto text = std::span<const std::int32_t>(history_);
  const auto before = text.first(text.size() - options.answered);
  const bool only_control = std::all_of(before.begin(), before.end(), [&](std::int32_t id) {
    return tokenizer != nullptr && tokenizer->is_special(id);
  });
  sampler_.emplace(options.sampling);
  text_.emplace(tokenizer, options.stop, options.reasoning_open, /*at_start=*/only_control);
  options_ = options;
  if (!prompt.empty()) last_logits_.clear();
  result = {};
  result.before = text_->go_on_from(text.last(options.answered));
  result.prompt_ids.assign(prompt.begin(), prompt.end());
  forced_.clear();
  reasoning_tokens_ = 0;
  reasoning_closed_ = ending_ = cancelled_ = false;
  if (cache) cache->restart_counters();
  phase = Phase::kWaiting;
}

void Sequence::restore(const SavedText& text) {
  history_ = text.ids;
  unread_ = text.read;
  last_logits_ = text.logits;
  phase = Phase::kDone;
  collect_kv_stats();
}

std::span<const std::int32_t> Sequence::pending() const {
  return std::span<const std::int32_t>(history_).subspan(unread_);
}

bool Sequence::prompt_read(std::size_t tokens) {
  unread_ += tokens;
  result.timings.prompt_n += tokens;
  note_peak_rows();
  return unread_ == history_.size();
}

bool Sequence::begin() {
  const std::uint64_t key = key_of_draws(history_, options_.sampling.stream);
  return result.timings.prompt_n > 0 ? cache->begin_generation(key) : cache->resume_generation(key);
}

void Sequence::go_on(StepEvent& event) { logits_ready(std::exchange(last_logits_, {}), event); }

void Sequence::decoded() {
  ++unread_;
  ++result.timings.decode_steps;
  note_peak_rows();
  cache->end_step();
}

void Sequence::add_time(RowKind kind, double ms) {
  Timings& timings = result.timings;
  (kind == RowKind::kDecode ? timings.predicted_ms : timings.prompt_ms) += ms;
}

void Sequence::note_peak_rows() {
  const KvShape& shape = cache->shape();
  for (std::size_t l = 0; l < shape.layers; ++l) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) {
      result.kv.peak_rows = std::max(result.kv.peak_rows, cache->head(l, h).size());
    }
  }
}

std::int32_t Sequence::choose(std::span<const float> logits) {
  if (!options_.force_ids.empty()) return options_.force_ids[result.ids.size()];
  if (options_.reasoning_budget >= 0 && !reasoning_closed_ && text_->inside_reasoning() &&
      reasoning_tokens_ >= options_.reasoning_budget) {
    force_reasoning_end();
  }
  if (!forced_.empty()) {
    const std::int32_t id = forced_.front();
    forced_.pop_front();
    return id;
  }
  return sampler_->next(logits, history_);
}

void Sequence::force_reasoning_end() {
  const auto ids =
      model_.tokenizer->encode("\n</think>\n\n", {/*add_special=*/false, /*parse_special=*/true});
  forced_.assign(ids.begin(), ids.end());
  reasoning_closed_ = true;
}

// The model's or the caller's end token: it ends the answer and is no part of its text.
bool Sequence::ends_answer(std::int32_t id) const {
  if (!options_.force_ids.empty()) return false;
  return contains(options_.stop_tokens, id) || (!options_.ignore_eos && model_.is_end(id));
}

FinishReason Sequence::reason_to_end(std::int32_t id) const {
  const std::size_t generated = result.ids.size();
  if (!options_.force_ids.empty()) {
    return generated == options_.force_ids.size() ? FinishReason::kLength : FinishReason::kNone;
  }
  if (text_->stopped() || ends_answer(id)) return FinishReason::kStop;
  if (options_.stop_on_loop && LoopDetector::looping(result.ids)) return FinishReason::kLoop;
  const bool spent =
      options_.max_tokens >= 0 && generated >= static_cast<std::size_t>(options_.max_tokens);
  if (spent || history_.size() >= context_) return FinishReason::kLength;
  return FinishReason::kNone;
}

void Sequence::logits_ready(std::span<const float> logits, StepEvent& event) {
  if (options_.keep_logits) result.logits.emplace_back(logits.begin(), logits.end());
  if (options_.on_logits) options_.on_logits(logits);
  if (ending_ || options_.max_tokens == 0 || history_.size() >= context_) {
    last_logits_.assign(logits.begin(), logits.end());
    return end(ending_ ? ending_reason_ : FinishReason::kLength, event);
  }

  const std::int32_t id = choose(logits);
  history_.push_back(id);
  result.ids.push_back(id);
  event.id = id;
  if (!ends_answer(id)) {
    ReasoningText shown = text_->push(id);
    event.reasoning += shown.reasoning;
    event.answer += shown.answer;
    if (text_->inside_reasoning()) ++reasoning_tokens_;
  }

  const FinishReason reason = reason_to_end(id);
  if (reason == FinishReason::kNone) {
    phase = Phase::kDecode;
  } else if (options_.keep_logits) {
    // The last token is read too, so that every generated id has its row of logits.
    ending_ = true;
    ending_reason_ = reason;
    phase = Phase::kDecode;
  } else {
    end(reason, event);
  }
}

void Sequence::end(FinishReason reason, StepEvent& event) {
  const ReasoningText rest = text_->finish();
  event.reasoning += rest.reasoning;
  event.answer += rest.answer;
  event.finished = reason;
  result.text = text_->text();
  result.reasoning = text_->parts().reasoning;
  result.answer = text_->parts().answer;
  result.finish_reason = reason;
  if (cache) collect_kv_stats();
  phase = Phase::kDone;
}

// An answer that was complete but for the logits of its last token keeps its reason.
void Sequence::end_kv_full(StepEvent& event) {
  end(ending_ ? ending_reason_ : FinishReason::kKvFull, event);
}

void Sequence::abandon() {
  StepEvent unheard;
  end(FinishReason::kNone, unheard);
  cache.reset();
}

void Sequence::drop_rows() { cache.reset(); }

void Sequence::collect_kv_stats() {
  const KvShape& shape = cache->shape();
  const KvCounters counters = cache->counters();
  KvStats& kv = result.kv;
  kv.rows.assign(shape.layers, std::vector<std::size_t>(shape.kv_heads));
  for (std::size_t l = 0; l < shape.layers; ++l) {
    for (std::size_t h = 0; h < shape.kv_heads; ++h) kv.rows[l][h] = cache->head(l, h).size();
  }
  note_peak_rows();
  kv.bytes = counters.bytes;
  kv.allocated_bytes = counters.allocated_bytes;
  kv.peak_bytes = counters.peak_bytes;
  kv.peak_allocated_bytes = counters.peak_allocated_bytes;
  kv.mean_bytes = counters.mean_bytes;
  kv.compressions = counters.compressions;
  result.timings.kv_ms = counters.seconds * 1e3;
}

std::size_t Sequence::prompt_rows() const {
  return (cache ? cache->most_rows() : 0) + (history_.size() - unread_);
}

std::size_t Sequence::most_tokens() const {
  const std::size_t room = context_ > history_.size() ? context_ - history_.size() : 0;
  if (!options_.force_ids.empty()) return std::min(room, options_.force_ids.size());
  if (options_.max_tokens < 0) return room;
  return std::min(room, static_cast<std::size_t>(options_.max_tokens));
}

}  // namespace laconic
