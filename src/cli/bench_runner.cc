// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/plan.h"
#include "cli/values.h"
#include "engine/head_choice.h"
#include "kv/schedule.h"

namespace laconic::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, length};
}

// A prompt that is compressed by rank must have been read: random rows come without queries.
bool compresses_prompt(const KvOptions& kv, std::size_t prompt) {
  return Schedule::rows_after(kv, prompt, 0) < prompt;
}

// Takes the cache back to its first `rows` rows. False when some of them are gone. Positions go on
// counting: they change angles of the RoPE and no amount of work.
bool rewind(SequenceCache& cache, std::size_t rows) {
  bool whole = true;
  for_each_head(
      cache, [&](HeadCache& head) { whole = whole && !head.is_constant() && head.size() >= rows; });
  if (!whole) return false;
  std::vector<std::int32_t> keep(rows);
  std::iota(keep.begin(), keep.end(), 0);
  for_each_head(cache, [&](HeadCache& head) { head.compact(keep); });
  BenchSequences::begin_generation(cache);
  return true;
}

}  // namespace

std::string BenchTest::label() const {
  std::string out = generate > 0 ? fmt::format("tg{}", generate) : fmt::format("pp{}", prompt);
  if (depth > 0) out += fmt::format(" @ d{}", depth);
  return out;
}

std::size_t BenchTest::tokens() const { return batch * (prompt + generate); }

BenchRunner::BenchRunner(const Weights& weights, Threads& threads, const Setup& setup)
    : weights_(weights),
      threads_(threads),
      setup_(setup),
      heads_(choose_heads(setup.kv, weights.config.kv_shape())),
      decoder_(weights, threads),
      noise_(weights.config) {}

BenchRunner::~BenchRunner() = default;

void BenchRunner::check(const BenchTest& test) const {
  const std::size_t prompt = test.depth + test.prompt;
  const std::size_t context = weights_.config.context;
  if (test.depth > context || test.prompt > context || prompt > context ||
      test.generate > context - prompt) {
    throw_usage("test {} needs {} tokens per sequence and the model's context is {}", test.label(),
                prompt + test.generate, context);
  }
  require_budget(setup_.kv, prompt);
  const std::size_t rows = peak_rows(setup_.kv, prompt, test.generate);
  const std::size_t need = checked_mul(
      test.batch, page_bytes_for(weights_.config, setup_.kv.type, rows), "the test's size");
  if (const std::size_t free = available_memory(); need > free) {
    throw_resource("test {} with {} sequences needs {} for cache pages and {} are free",
                   test.label(), test.batch, readable_bytes(static_cast<double>(need)),
                   readable_bytes(static_cast<double>(free)));
  }
}

std::unique_ptr<BenchSequences> BenchRunner::make_sequences(const BenchTest& test) {
  const ModelConfig& config = weights_.config;
  // One token more than the test for the warm-up; memory is taken when rows come.
  // Constant heads may own a block longer than that.
  const std::size_t rows = std::max(test.depth + test.prompt + test.generate + 1,
                                    setup_.kv.head_sink + setup_.kv.head_recent);
  const std::size_t limit = test.batch * page_bytes_for(config, setup_.kv.type, rows);
  return std::make_unique<BenchSequences>(config, setup_.kv, heads_ ? &*heads_ : nullptr, threads_,
                                          test.batch, limit);
}

void BenchRunner::read_prompt(BenchSequences& sequences, std::size_t tokens) {
  std::vector<std::int32_t> ids(tokens);
  for (std::int32_t& id : ids) id = noise_.token();
  const std::span<const std::int32_t> all(ids);
  // Chunks of `chunk` tokens, filled from one sequence after the other as a session does.
  std::vector<Segment> batch;
  std::size_t room = setup_.chunk;
  const auto flush = [&] {
    if (!batch.empty()) decoder_.forward(batch);
    batch.clear();
    room = setup_.chunk;
  };
  for (SequenceCache& cache : sequences.caches()) {
    for (std::size_t done = 0; done < tokens;) {
      const std::size_t take = std::min(room, tokens - done);
      BenchSequences::reserve(cache, take, /*prompt=*/true);
      const bool last = done + take == tokens;
      batch.push_back({&cache, all.subspan(done, take), RowKind::kPrompt,
                       last ? LogitRows::kLast : LogitRows::kNone});
      done += take;
      room -= take;
      if (room == 0 || !last) flush();
    }
  }
  flush();
  for (SequenceCache& cache : sequences.caches()) BenchSequences::begin_generation(cache);
}

void BenchRunner::fill_random(BenchSequences& sequences, std::size_t rows) {
  for (SequenceCache& cache : sequences.caches()) {
    sequences.append_random(cache, noise_, rows, /*prompt=*/true);
    BenchSequences::begin_generation(cache);
  }
}

void BenchRunner::bring_to_depth(std::unique_ptr<BenchSequences>& sequences,
                                 const BenchTest& test) {
  const bool reusable =
      sequences && std::all_of(sequences->caches().begin(), sequences->caches().end(),
                               [&](SequenceCache& cache) {
                                 const auto next = static_cast<std::size_t>(cache.next_position());
                                 return next + test.generate <= weights_.config.context &&
                                        rewind(cache, test.depth);
                               });
  if (reusable) return;
  sequences.reset();  // its pages first
  sequences = make_sequences(test);
  if (test.depth == 0) {
    for (SequenceCache& cache : sequences->caches()) BenchSequences::begin_generation(cache);
  } else if (setup_.fill == DepthFill::kRandomRows && !compresses_prompt(setup_.kv, test.depth)) {
    fill_random(*sequences, test.depth);
  } else {
    read_prompt(*sequences, test.depth);
  }
}

void BenchRunner::generate(BenchSequences& sequences, std::size_t tokens, BenchResult& result) {
  std::vector<std::int32_t> ids(sequences.caches().size());
  std::vector<Segment> batch;
  double moved = 0;
  for (std::size_t step = 0; step < tokens; ++step) {
    batch.clear();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      SequenceCache& cache = sequences.caches()[i];
      ids[i] = noise_.token();
      BenchSequences::reserve(cache, 1, /*prompt=*/false);
      batch.push_back(
          {&cache, std::span<const std::int32_t>(&ids[i], 1), RowKind::kDecode, LogitRows::kLast});
    }
    decoder_.forward(batch);
    const std::size_t held = sequences.bytes();
    result.kv_peak_bytes = std::max(result.kv_peak_bytes, held);
    moved += static_cast<double>(weights_.bytes_per_step() + held);
    for (SequenceCache& cache : sequences.caches()) cache.end_step();
  }
  result.bytes_moved = moved;
}

BenchResult BenchRunner::run(const BenchTest& test) {
  check(test);
  BenchResult result;
  result.test = test;
  result.started = utc_now();
  std::unique_ptr<BenchSequences> sequences;
  if (test.generate > 0) {
    bring_to_depth(sequences, test);
    BenchResult warm_up;
    generate(*sequences, 1, warm_up);
    for (std::size_t i = 0; i < setup_.repetitions; ++i) {
      bring_to_depth(sequences, test);
      const auto start = Clock::now();
      generate(*sequences, test.generate, result);
      result.seconds.push_back(seconds_since(start));
    }
    return result;
  }
  for (std::size_t i = 0; i < setup_.repetitions + 1; ++i) {  // the first one is the warm-up
    sequences.reset();
    sequences = make_sequences(test);
    const auto start = Clock::now();
    read_prompt(*sequences, test.prompt);
    if (i > 0) result.seconds.push_back(seconds_since(start));
    result.kv_peak_bytes = sequences->bytes();
  }
  return result;
}

}  // namespace laconic::cli
