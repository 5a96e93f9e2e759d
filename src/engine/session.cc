// SPDX-License-Identifier: Apache-2.0
// The loop a user waits for: admit, build a batch, forward, compress, sample.
#include "laconic/session.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/threads.h"
#include "engine/head_choice.h"
#include "engine/model_fingerprint.h"
#include "engine/model_impl.h"
#include "engine/sequence.h"
#include "kv/demand.h"
#include "model/decoder.h"

namespace laconic {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Packed weights are held already; an embedding that is only looked up is paged in.
std::size_t default_kv_memory(const Weights& weights) {
  return default_cache_memory(weights.mapped_bytes());
}

std::size_t kib(std::size_t bytes) { return (bytes + 1023) / 1024; }

KvShape checked_shape(const ModelConfig& config, const KvOptions& kv) {
  check_row_type(kv_dtype(kv.type), config.head_dim);
  return config.kv_shape();
}

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
        shape(checked_shape(model.weights.config, o.kv)),
        heads(choose_heads(o.kv, shape)),
        demand(shape, options.kv, heads ? &*heads : nullptr),
        context(o.context == 0 ? model.weights.config.context : o.context),
        threads(o.threads),
        pool(page_bytes(kv_dtype(o.kv.type), shape.head_dim),
             o.kv_memory == 0 ? default_kv_memory(model.weights) : o.kv_memory),
        decoder(model.weights, threads) {}

  Sequence& get(SequenceId id);
  std::size_t bytes_held(const Sequence& sequence) const;
  void check_prompt_fits(std::size_t rows) const;
  void attach_cache(SequenceId id, Sequence& sequence);
  SessionOwner owner() const;
  void make_room(std::size_t pages, const std::filesystem::path& file);
  bool reserve(Sequence& sequence, std::size_t tokens, bool prompt);
  bool begin(Sequence& sequence);
  bool drop_oldest_finished();

  void cancel_requested();
  std::size_t committed_bytes();
  void admit();
  void go_on_from_logits();
  void build_batch();
  void run_batch();
  void finish_segment(std::size_t index, std::span<const float>& logits);
  void deliver(const std::function<void(const StepEvent&)>& on_event);
  StepEvent& event_of(SequenceId id);

  const Model::Impl& model;
  SessionOptions options;
  KvShape shape;
  std::optional<HeadSet> heads;  // nothing: all are full
  CacheDemand demand;
  std::size_t context;
  Threads threads;
  PagePool pool;
  Decoder decoder;
  std::map<SequenceId, Sequence> sequences;  // destroyed before the pool: they give pages back
  SequenceId next_id = 0;
  std::deque<SequenceId> waiting;   // in order of arrival
  std::vector<SequenceId> active;   // in order of admission
  std::deque<SequenceId> finished;  // with rows, the longest finished first
  std::deque<StepEvent> events;     // not delivered yet
  KvTrace trace;
  std::vector<Segment> batch;
  std::vector<SequenceId> batch_ids;  // [batch] whose segment it is
};

Sequence& Session::Impl::get(SequenceId id) {
  const auto found = sequences.find(id);
  if (found == sequences.end()) throw_usage("sequence {} does not exist in this session", id);
  return found->second;
}

StepEvent& Session::Impl::event_of(SequenceId id) {
  StepEvent event;
  event.sequence = id;
  return events.emplace_back(std::move(event));
}

std::size_t Session::Impl::bytes_held(const Sequence& sequence) const {
  return sequence.cache ? sequence.cache->counters().allocated_bytes : 0;
}

// A prompt that the pool or the policy's budget could not hold even alone is refused when it is
// added.
void Session::Impl::check_prompt_fits(std::size_t rows) const {
  require_budget(options.kv, rows);
  const std::size_t needed = demand.peak(rows, 0);
  if (needed <= pool.bytes_limit()) return;
  throw_resource("the prompt's {} rows need {} KiB of cache pages, --kv-memory allows {} KiB", rows,
                 kib(needed), kib(pool.bytes_limit()));
}

void Session::Impl::attach_cache(SequenceId id, Sequence& sequence) {
  if (sequence.cache) return;
  sequence.cache.emplace(pool, shape, options.kv, heads ? &*heads : nullptr, &threads);
  sequence.cache->set_trace([this, id](std::size_t step, std::size_t layer, std::size_t kv_head,
                                       std::span<const std::int32_t> kept) {
    if (trace) trace(id, step, layer, kv_head, kept);
  });
}

SessionOwner Session::Impl::owner() const {
  return {model_fingerprint(model.weights), model.info.name, shape,
          model.weights.config.vocab,       options.kv,      heads ? &*heads : nullptr};
}

// Finished sequences give way to the rows of a file, but not in vain.
void Session::Impl::make_room(std::size_t pages, const std::filesystem::path& file) {
  const std::size_t needed = pages * pool.page_bytes();
  std::size_t possible = pool.pages_free() * pool.page_bytes();
  for (const SequenceId id : finished) possible += bytes_held(get(id));
  if (needed > possible) {
    throw_resource("the rows of {} need {} KiB of cache pages; of --kv-memory {} KiB are free",
                   file.string(), kib(needed), possible / 1024);
  }
  while (pool.pages_free() < pages && drop_oldest_finished()) {
  }
}

// Room for more rows; finished sequences, the oldest first, lose theirs when the pool is full.
bool Session::Impl::reserve(Sequence& sequence, std::size_t tokens, bool prompt) {
  while (!sequence.cache->reserve(tokens, prompt)) {
    if (!drop_oldest_finished()) return false;
  }
  return true;
}

// The same for the blocks of constant heads.
bool Session::Impl::begin(Sequence& sequence) {
  while (!sequence.begin()) {
    if (!drop_oldest_finished()) return false;
  }
  return true;
}

bool Session::Impl::drop_oldest_finished() {
  if (finished.empty()) return false;
  get(finished.front()).drop_rows();
  finished.pop_front();
  return true;
}

void Session::Impl::cancel_requested() {
  for (auto& [id, sequence] : sequences) {
    if (!sequence.cancel_requested() || sequence.phase == Sequence::Phase::kDone) continue;
    sequence.end(FinishReason::kCancelled, event_of(id));
  }
}

// Bytes that are spoken for: the peaks of all that run, and what those hold that go on from an
// earlier answer and still wait.
std::size_t Session::Impl::committed_bytes() {
  std::size_t bytes = 0;
  for (const SequenceId id : active) bytes += get(id).admitted_bytes;
  for (const SequenceId id : waiting) bytes += bytes_held(get(id));
  return bytes;
}

// Waiting sequences enter in order of arrival while the peaks of all that run, by the policy's law,
// fit into the pool. One that does not fit even alone enters alone and may end with kv_full.
void Session::Impl::admit() {
  std::erase_if(waiting, [&](SequenceId id) { return get(id).phase != Sequence::Phase::kWaiting; });
  std::size_t committed = committed_bytes();
  while (!waiting.empty()) {
    const SequenceId id = waiting.front();
    Sequence& sequence = get(id);
    const std::size_t rows = sequence.prompt_rows(), tokens = sequence.most_tokens();
    const std::size_t peak =
        sequence.read_before() ? demand.peak_of_resumed(rows, tokens) : demand.peak(rows, tokens);
    sequence.admitted_bytes = std::max(peak, bytes_held(sequence));
    const std::size_t more = sequence.admitted_bytes - bytes_held(sequence);
    if (!active.empty() && committed + more > pool.bytes_limit()) return;
    committed += more;
    attach_cache(id, sequence);
    sequence.phase = Sequence::Phase::kPrompt;
    active.push_back(id);
    waiting.pop_front();
  }
}

// Sequences that go on with nothing to read need no pass of the model for their first token.
void Session::Impl::go_on_from_logits() {
  for (const SequenceId id : active) {
    Sequence& sequence = get(id);
    if (sequence.phase != Sequence::Phase::kPrompt || !sequence.read_before()) continue;
    try {
      if (begin(sequence)) {
        sequence.go_on(event_of(id));
      } else {
        sequence.end_kv_full(event_of(id));
      }
    } catch (...) {
      sequence.abandon();
      throw;
    }
  }
}

void Session::Impl::build_batch() {
  batch.clear();
  batch_ids.clear();
  for (const SequenceId id : active) {
    Sequence& sequence = get(id);
    if (sequence.phase != Sequence::Phase::kDecode) continue;
    if (!reserve(sequence, 1, /*prompt=*/false)) {
      sequence.end_kv_full(event_of(id));
      continue;
    }
    batch.push_back({&*sequence.cache, sequence.pending(), RowKind::kDecode, LogitRows::kLast});
    batch_ids.push_back(id);
  }
  std::size_t left = options.batch_tokens;
  for (const SequenceId id : active) {
    Sequence& sequence = get(id);
    if (sequence.phase != Sequence::Phase::kPrompt || left == 0) continue;
    const auto pending = sequence.pending();
    const std::size_t count = std::min(left, pending.size());
    if (!reserve(sequence, count, /*prompt=*/true)) {
      // Others may end and give pages back; with nobody else running it can never go on.
      if (batch.empty()) sequence.end_kv_full(event_of(id));
      continue;
    }
    batch.push_back({&*sequence.cache, pending.first(count), RowKind::kPrompt,
                     count == pending.size() ? LogitRows::kLast : LogitRows::kNone});
    batch_ids.push_back(id);
    left -= count;
  }
}

// One segment after the forward pass: rows, policy, next token.
void Session::Impl::finish_segment(std::size_t index, std::span<const float>& logits) {
  Sequence& sequence = get(batch_ids[index]);
  const Segment& segment = batch[index];
  const bool has_logits = segment.logits != LogitRows::kNone;
  const auto own = logits.first(has_logits ? model.weights.config.vocab : 0);
  logits = logits.subspan(own.size());
  if (segment.kind == RowKind::kDecode) {
    sequence.decoded();
  } else if (sequence.prompt_read(segment.ids.size()) && !begin(sequence)) {
    return sequence.end_kv_full(event_of(batch_ids[index]));
  }
  if (has_logits) sequence.logits_ready(own, event_of(batch_ids[index]));
}

void Session::Impl::run_batch() {
  const auto start = Clock::now();
  std::span<const float> logits;
  try {
    logits = decoder.forward(batch);
  } catch (...) {
    for (const SequenceId id : batch_ids) get(id).abandon();
    throw;
  }
  // Whatever goes wrong with one sequence (a trace that cannot be written), the others are
  // finished.
  std::exception_ptr failure;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    try {
      finish_segment(i, logits);
    } catch (...) {
      get(batch_ids[i]).abandon();
      failure = std::current_exception();
    }
  }
  const double ms = milliseconds_since(start);
  for (std::size_t i = 0; i < batch.size(); ++i) get(batch_ids[i]).add_time(batch[i].kind, ms);
  if (failure) std::rethrow_exception(failure);
}

void Session::Impl::deliver(const std::function<void(const StepEvent&)>& on_event) {
  while (!events.empty()) {
    const StepEvent event = std::move(events.front());
    events.pop_front();
    if (on_event) on_event(event);
  }
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
  Sequence sequence(impl_->model, impl_->context);
  sequence.start(prompt, options);
  impl_->check_prompt_fits(prompt.size());
  impl_->sequences.emplace(impl_->next_id, std::move(sequence));
  impl_->waiting.push_back(impl_->next_id);
  return impl_->next_id++;
}

void Session::extend(SequenceId id, std::span<const std::int32_t> more,
                     const GenerateOptions& options) {
  Sequence& sequence = impl_->get(id);
  if (sequence.phase != Sequence::Phase::kDone) {
    throw_usage("sequence {} cannot go on: its generation has not finished", id);
  }
  // Those that run were let in on the promise that finished sequences give way.
  if (impl_->committed_bytes() + impl_->bytes_held(sequence) > impl_->pool.bytes_limit()) {
    sequence.drop_rows();
    std::erase(impl_->finished, id);
  }
  if (!sequence.can_go_on()) {
    throw_usage("sequence {} cannot go on: its rows had to give way, add its text anew", id);
  }
  impl_->check_prompt_fits(sequence.prompt_rows() + more.size());
  sequence.start(more, options);
  std::erase(impl_->finished, id);
  impl_->waiting.push_back(id);
}

bool Session::step(const std::function<void(const StepEvent&)>& on_event) {
  const auto retire = [this] {
    std::erase_if(impl_->active, [this](SequenceId id) {
      const Sequence& sequence = impl_->get(id);
      if (sequence.phase != Sequence::Phase::kDone) return false;
      if (sequence.cache) impl_->finished.push_back(id);
      return true;
    });
  };
  impl_->cancel_requested();
  retire();
  impl_->admit();
  try {
    impl_->go_on_from_logits();
    impl_->build_batch();
    if (!impl_->batch.empty()) impl_->run_batch();
  } catch (...) {
    retire();
    throw;
  }
  retire();
  impl_->deliver(on_event);
  return !impl_->active.empty() || !impl_->waiting.empty();
}

void Session::cancel(SequenceId id) { impl_->get(id).request_cancel(); }
const Generation& Session::result(SequenceId id) const { return impl_->get(id).result; }
void Session::release(SequenceId id) {
  impl_->get(id);
  std::erase(impl_->waiting, id);
  std::erase(impl_->active, id);
  std::erase(impl_->finished, id);
  impl_->sequences.erase(id);
}

std::span<const std::int32_t> Session::ids(SequenceId id) const { return impl_->get(id).history(); }

void Session::save(SequenceId id, const std::filesystem::path& file, std::string_view note) const {
  const Sequence& sequence = impl_->get(id);
  if (sequence.phase != Sequence::Phase::kDone) {
    throw_usage("sequence {} cannot be saved: its generation has not finished", id);
  }
  if (!sequence.cache) {
    throw_usage("sequence {} cannot be saved: it has no rows, they had to give way", id);
  }
  const SavedText text{sequence.history(), sequence.read(), sequence.last_logits(),
                       std::string(note)};
  write_session_file(file, impl_->owner(), text, *sequence.cache);
}

SequenceId Session::load(const std::filesystem::path& file, std::string* note) {
  const MappedFile mapped(file);
  const SessionReader saved(mapped.bytes(), file.string(), impl_->owner());
  const std::size_t tokens = saved.text().ids.size();
  if (tokens > impl_->context) {
    throw_usage("{} holds a text of {} tokens, --ctx-size allows {}", file.string(), tokens,
                impl_->context);
  }
  impl_->make_room(saved.pages(), file);
  const SequenceId id = impl_->next_id;
  Sequence sequence(impl_->model, impl_->context);
  impl_->attach_cache(id, sequence);
  if (!saved.restore(*sequence.cache)) throw_resource("no room for {}", file.string());
  sequence.restore(saved.text());
  impl_->sequences.emplace(id, std::move(sequence));
  impl_->finished.push_back(id);
  ++impl_->next_id;
  if (note != nullptr) *note = saved.text().note;
  return id;
}

Generation Session::generate(std::span<const std::int32_t> prompt, const GenerateOptions& options,
                             const std::function<void(const StepEvent&)>& on_event) {
  const SequenceId id = add(prompt, options);
  try {
    while (step(on_event)) {
    }
  } catch (...) {
    release(id);
    throw;
  }
  Generation result = std::move(impl_->get(id).result);
  release(id);
  return result;
}

void Session::set_kv_trace(KvTrace trace) { impl_->trace = std::move(trace); }
std::size_t Session::kv_bytes_limit() const { return impl_->pool.bytes_limit(); }
std::size_t Session::threads() const { return impl_->threads.size(); }

}  // namespace laconic
