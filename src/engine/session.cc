// SPDX-License-Identifier: Apache-2.0
// The loop a user waits for: admit, build a batch, forward, compress, sample.
#include "laconic/session.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "engine/model_impl.h"
#include "engine/sequence.h"
#include "model/decoder.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// What may be used for rows when nobody says: what is free now, less the weights that will be paged
// in and a tenth for everything else.
std::size_t default_kv_memory(const Weights& weights) {
  const std::size_t free = available_memory() / 10 * 9;
  const std::size_t weight_bytes = weights.quantized.empty() ? weights.total_bytes() : 0;
  return std::max(free / 4, free > weight_bytes ? free - weight_bytes : 0);
}

std::size_t kib(std::size_t bytes) { return (bytes + 1023) / 1024; }

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "none";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kKvFull:
      return "kv_full";
    case FinishReason::kLoop:
      return "loop";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "?";
}

struct Session::Impl {
  Impl(const Model& m, const SessionOptions& o)
      : model(m.impl()),
        options(o),
        shape(model.weights.config.kv_shape()),
        context(o.context == 0 ? model.weights.config.context : o.context),
        threads(o.threads),
        pool(page_bytes(kv_dtype(o.kv.type), shape.head_dim),
             o.kv_memory == 0 ? default_kv_memory(model.weights) : o.kv_memory),
        decoder(model.weights, threads) {}

  Sequence& get(SequenceId id);
  const Sequence& get(SequenceId id) const { return const_cast<Impl*>(this)->get(id); }
  std::size_t pages_for(std::size_t rows) const;
  void check_prompt_fits(std::size_t rows) const;
  void attach_cache(SequenceId id, Sequence& sequence);

  using OnEvent = std::function<void(const StepEvent&)>;
  void cancel_requested(const OnEvent& on_event);
  void admit();
  void build_batch(const OnEvent& on_event);
  void run_batch(const OnEvent& on_event);
  bool running() const;

  const Model::Impl& model;
  SessionOptions options;
  KvShape shape;
  std::size_t context;
  Threads threads;
  PagePool pool;
  Decoder decoder;
  std::map<SequenceId, Sequence> sequences;  // ended before the pool is: they give pages back
  SequenceId next_id = 0;
  KvTrace trace;
  std::vector<Segment> batch;
  std::vector<SequenceId> batch_ids;  // [batch] whose segment it is
};

Sequence& Session::Impl::get(SequenceId id) {
  const auto found = sequences.find(id);
  if (found == sequences.end()) throw_usage("sequence {} does not exist in this session", id);
  return found->second;
}

std::size_t Session::Impl::pages_for(std::size_t rows) const {
  return (rows + kPageRows - 1) / kPageRows * shape.layers * shape.kv_heads;
}

// A prompt that the pool could not hold even alone is refused when it is added.
void Session::Impl::check_prompt_fits(std::size_t rows) const {
  if (pages_for(rows) <= pool.pages_limit()) return;
  throw_resource("the prompt's {} rows need {} KiB of cache pages, --kv-memory allows {} KiB", rows,
                 kib(pages_for(rows) * pool.page_bytes()),
                 kib(pool.pages_limit() * pool.page_bytes()));
}

void Session::Impl::attach_cache(SequenceId id, Sequence& sequence) {
  if (sequence.cache) return;
  sequence.cache.emplace(pool, shape, options.kv);
  if (!trace) return;
  sequence.cache->set_trace(
      [this, id](std::size_t step, std::size_t layer, std::size_t kv_head,
                 std::span<const std::int32_t> kept) { trace(id, step, layer, kv_head, kept); });
}

void Session::Impl::cancel_requested(const OnEvent& on_event) {
  for (auto& [id, sequence] : sequences) {
    if (!sequence.cancel_requested() || sequence.phase == Sequence::Phase::kDone) continue;
    StepEvent event;
    event.sequence = id;
    sequence.end(FinishReason::kCancelled, event);
    if (on_event) on_event(event);
  }
}

// Waiting sequences enter in order while the peaks of all that run, by the policy's law, fit into
// the pool. One that does not fit even alone enters alone and may end with kv_full.
void Session::Impl::admit() {
  std::size_t committed = 0;
  bool busy = false;
  for (auto& [id, sequence] : sequences) {
    const bool active =
        sequence.phase == Sequence::Phase::kPrompt || sequence.phase == Sequence::Phase::kDecode;
    busy = busy || active;
    if (active) {
      committed += pages_for(sequence.admitted_rows);
    } else if (sequence.cache) {
      committed += sequence.cache->counters().allocated_bytes / pool.page_bytes();
    }
  }
  for (auto& [id, sequence] : sequences) {
    if (sequence.phase != Sequence::Phase::kWaiting) continue;
    sequence.admitted_rows = sequence.peak_rows(options.kv);
    const std::size_t needed = pages_for(sequence.admitted_rows);
    if (busy && committed + needed > pool.pages_limit()) return;
    attach_cache(id, sequence);
    sequence.phase = Sequence::Phase::kPrompt;
    committed += needed;
    busy = true;
  }
}

void Session::Impl::build_batch(const OnEvent& on_event) {
  batch.clear();
  batch_ids.clear();
  const auto full = [&](SequenceId id, Sequence& sequence) {
    StepEvent event;
    event.sequence = id;
    sequence.end(FinishReason::kKvFull, event);
    if (on_event) on_event(event);
  };
  for (auto& [id, sequence] : sequences) {
    if (sequence.phase != Sequence::Phase::kDecode) continue;
    if (!sequence.cache->reserve(1)) {
      full(id, sequence);
      continue;
    }
    batch.push_back({&*sequence.cache, sequence.pending(), RowKind::kDecode, LogitRows::kLast});
    batch_ids.push_back(id);
  }
  std::size_t left = options.batch_tokens;
  for (auto& [id, sequence] : sequences) {
    if (sequence.phase != Sequence::Phase::kPrompt || left == 0) continue;
    const auto pending = sequence.pending();
    const std::size_t count = std::min(left, pending.size());
    if (!sequence.cache->reserve(count)) {
      // Others may end and give pages back; with nobody else running it can never go on.
      if (batch.empty()) full(id, sequence);
      continue;
    }
    batch.push_back({&*sequence.cache, pending.first(count), RowKind::kPrompt,
                     count == pending.size() ? LogitRows::kLast : LogitRows::kNone});
    batch_ids.push_back(id);
    left -= count;
  }
}

void Session::Impl::run_batch(const OnEvent& on_event) {
  const auto start = Clock::now();
  std::span<const float> logits;
  try {
    logits = decoder.forward(batch);
  } catch (...) {
    for (const SequenceId id : batch_ids) get(id).abandon();
    throw;
  }
  const double ms = milliseconds_since(start);
  const std::size_t vocab = model.weights.config.vocab;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Sequence& sequence = get(batch_ids[i]);
    if (batch[i].kind == RowKind::kDecode) {
      const auto policy_start = Clock::now();
      sequence.decoded(ms);
      sequence.result.timings.predicted_ms += milliseconds_since(policy_start);
    } else {
      sequence.prompt_read(batch[i].ids.size(), ms);
    }
    if (batch[i].logits == LogitRows::kNone) continue;
    StepEvent event;
    event.sequence = batch_ids[i];
    sequence.logits_ready(logits.first(vocab), event);
    logits = logits.subspan(vocab);
    if (on_event) on_event(event);
  }
}

bool Session::Impl::running() const {
  return std::any_of(sequences.begin(), sequences.end(), [](const auto& entry) {
    return entry.second.phase != Sequence::Phase::kDone;
  });
}

Session::Session(const Model& model, const SessionOptions& options) {
  options.kv.validate();
  if (options.batch_tokens == 0) throw_usage("--batch-size 0 is out of range: at least 1");
  const std::size_t trained = model.info().context;
  if (options.context > trained) {
    throw_usage("--ctx-size {} is more than the model's context of {} tokens", options.context,
                trained);
  }
  impl_ = std::make_unique<Impl>(model, options);
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

SequenceId Session::add(std::span<const std::int32_t> prompt, const GenerateOptions& options) {
  Sequence sequence(impl_->model, impl_->next_id, impl_->context);
  sequence.start(prompt, options);
  impl_->check_prompt_fits(prompt.size());
  impl_->sequences.emplace(impl_->next_id, std::move(sequence));
  return impl_->next_id++;
}

void Session::extend(SequenceId id, std::span<const std::int32_t> more,
                     const GenerateOptions& options) {
  Sequence& sequence = impl_->get(id);
  if (sequence.phase != Sequence::Phase::kDone || !sequence.cache) {
    throw_usage("sequence {} cannot go on: its last generation has not ended well", id);
  }
  impl_->check_prompt_fits(sequence.rows_held() + sequence.pending().size() + more.size());
  sequence.start(more, options);
}

bool Session::step(const std::function<void(const StepEvent&)>& on_event) {
  impl_->cancel_requested(on_event);
  impl_->admit();
  impl_->build_batch(on_event);
  if (!impl_->batch.empty()) impl_->run_batch(on_event);
  return impl_->running();
}

void Session::cancel(SequenceId id) { impl_->get(id).request_cancel(); }
const Generation& Session::result(SequenceId id) const { return impl_->get(id).result; }
void Session::release(SequenceId id) {
  impl_->get(id);
  impl_->sequences.erase(id);
}

Generation Session::generate(std::span<const std::int32_t> prompt, const GenerateOptions& options,
                             const std::function<void(const StepEvent&)>& on_event) {
  const SequenceId id = add(prompt, options);
  while (step(on_event)) {
  }
  Generation result = std::move(impl_->get(id).result);
  release(id);
  return result;
}

void Session::set_kv_trace(KvTrace trace) { impl_->trace = std::move(trace); }
std::size_t Session::kv_bytes_limit() const {
  return impl_->pool.pages_limit() * impl_->pool.page_bytes();
}
std::size_t Session::threads() const { return impl_->threads.size(); }

}  // namespace laconic
