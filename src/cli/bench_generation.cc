// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_generation.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "base/memory.h"
#include "cli/plan.h"
#include "engine/head_choice.h"
#include "kv/schedule.h"

namespace laconic::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A stop: one step to bring caches and clocks back to what decoding is like, then these. Eight:
// enough for a median that one interruption does not move, and seconds at the slowest.
constexpr std::size_t kStopSteps = 8;
constexpr std::size_t kFirstMark = 1024;

struct Step {
  double bytes = 0;        // of rows that its attention read
  double compression = 0;  // seconds of ranking and moving rows after it
  double seconds = -1;     // of the model; below 0: did not run
};

// Steps of the answer at which stops begin: levels of rows held at equal distances between the
// fewest and the most. Every other level is taken where the law reaches it last, so that young and
// old caches are both seen.
std::vector<std::size_t> choose_stops(const KvOptions& kv, std::size_t prompt, std::size_t steps,
                                      std::size_t points) {
  std::vector<std::size_t> rows(steps);
  for (std::size_t g = 0; g < steps; ++g) rows[g] = Schedule::rows_after(kv, prompt, g);
  const auto [low, high] = std::minmax_element(rows.begin(), rows.end());
  const std::size_t last_start = steps - std::min(steps, kStopSteps + 1);
  std::vector<std::size_t> stops;
  for (std::size_t i = 0; i < points; ++i) {
    const std::size_t level = *low + (*high - *low) * i / std::max<std::size_t>(1, points - 1);
    std::size_t at = 0;
    if (i % 2 == 0) {
      while (rows[at] < level) ++at;
    } else {
      at = steps - 1;
      while (rows[at] > level) --at;
    }
    stops.push_back(std::min(at, last_start));
  }
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
  return stops;
}

class Generation {
 public:
  Generation(const Weights& weights, Threads& threads, const KvOptions& kv,
             const GenerationTest& test, std::size_t memory)
      : test_(test),
        sampled_(test.points > 0),
        heads_(choose_heads(kv, weights.config.kv_shape())),
        decoder_(weights, threads),
        noise_(weights.config),
        sequences_(weights.config, kv, heads_ ? &*heads_ : nullptr, threads, test.batch, memory) {
    for (SequenceCache& cache : sequences_.caches()) {
      sequences_.append_random(cache, noise_, test.prompt, /*prompt=*/true);
      stand_in(cache, /*prompt=*/true);
      receive(cache);
      BenchSequences::begin_generation(cache);
    }
    if (!kv.evicts()) return;
    law_.emplace(kv);
    if (law_->begin(test.prompt)) law_->compressed();
  }

  // One more token in every sequence.
  Step step(bool model) {
    Step out;
    if (model) {
      const auto start = Clock::now();
      forward();
      out.seconds = seconds_since(start);
    } else {
      for (SequenceCache& cache : sequences_.caches()) {
        stand_in(cache, /*prompt=*/false);
        sequences_.append_random(cache, noise_, 1, /*prompt=*/false);
      }
    }
    out.bytes = static_cast<double>(sequences_.bytes());
    const bool due = law_ && law_->token_appended(sequences_.caches().front().most_rows());
    if (due) {
      law_->compressed();
      if (sampled_) {
        for (SequenceCache& cache : sequences_.caches()) receive(cache);
      }
    }
    const auto start = Clock::now();
    for (SequenceCache& cache : sequences_.caches()) cache.end_step();
    if (due) {
      out.compression = seconds_since(start);
    } else if (model) {
      out.seconds += seconds_since(start);
    }
    return out;
  }

 private:
  void forward() {
    ids_.resize(test_.batch);
    batch_.clear();
    std::size_t i = 0;
    for (SequenceCache& cache : sequences_.caches()) {
      ids_[i] = noise_.token();
      BenchSequences::reserve(cache, 1, /*prompt=*/false);
      batch_.push_back({&cache, std::span<const std::int32_t>(&ids_[i++], 1), RowKind::kDecode,
                        LogitRows::kLast});
    }
    decoder_.forward(batch_);
  }

  // The queries that the policy asks for, of a token that no model computes.
  void stand_in(SequenceCache& cache, bool prompt) {
    if (!cache.wants_queries(prompt)) return;
    const std::size_t count = prompt ? std::min(cache.query_room(), test_.prompt) : 1;
    for (std::size_t layer = 0; layer < cache.shape().layers; ++layer) {
      for (std::size_t i = count; i > 0; --i) {
        const auto back = static_cast<std::int32_t>(prompt ? i : 0);
        cache.observe_queries(layer, cache.next_position() - back, noise_.query());
      }
    }
  }

  // What rows have received, where the policy goes by it: random sums for all that are held.
  void receive(SequenceCache& cache) {
    for (std::size_t layer = 0; layer < cache.shape().layers; ++layer) {
      for (std::size_t head = 0; head < cache.shape().kv_heads; ++head) {
        if (!cache.wants_attention(/*prompt=*/false, layer, head)) continue;
        sums_.resize(cache.head(layer, head).size());
        for (float& sum : sums_) sum = static_cast<float>(noise_.draw() >> 40);
        cache.restore_received(layer, head, sums_);
      }
    }
  }

  const GenerationTest& test_;
  const bool sampled_;  // not every step runs the model, so nobody has summed all attention
  std::optional<HeadSet> heads_;
  Decoder decoder_;
  BenchNoise noise_;
  BenchSequences sequences_;
  std::optional<Schedule> law_;
  std::vector<std::int32_t> ids_;
  std::vector<Segment> batch_;
  std::vector<float> sums_;
};

// Seconds of a step that reads so many bytes of rows: linear between the stops, level beyond them.
double seconds_at(const std::vector<GenerationStop>& by_bytes, double bytes) {
  const auto above =
      std::lower_bound(by_bytes.begin(), by_bytes.end(), bytes,
                       [](const GenerationStop& stop, double b) { return stop.bytes < b; });
  if (above == by_bytes.begin()) return above->seconds;
  const auto below = above - 1;
  if (above == by_bytes.end()) return below->seconds;
  const double share = (bytes - below->bytes) / (above->bytes - below->bytes);
  return below->seconds + share * (above->seconds - below->seconds);
}

GenerationStop summarise(std::size_t start, const std::vector<Step>& steps, std::size_t end) {
  GenerationStop stop{start, 0, 0};
  std::vector<double> seconds;
  const std::size_t first = end - start > 1 ? start + 1 : start;  // behind the warm-up
  for (std::size_t g = first; g < end; ++g) {
    seconds.push_back(steps[g].seconds);
    stop.bytes += steps[g].bytes / static_cast<double>(end - first);
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  stop.seconds = *middle;
  return stop;
}

void fill_marks(const std::vector<Step>& steps, GenerationResult& result) {
  std::vector<GenerationStop> by_bytes = result.stops;
  std::sort(by_bytes.begin(), by_bytes.end(),
            [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  GenerationMark sum;
  std::size_t done = 0;
  for (GenerationMark& mark : result.marks) {
    if (!mark.fits) continue;
    for (; done < mark.generated; ++done) {
      const Step& step = steps[done];
      const bool sampled = result.test.points > 0;
      sum.seconds += (sampled ? seconds_at(by_bytes, step.bytes) : step.seconds) + step.compression;
      sum.compression_seconds += step.compression;
      sum.mean_bytes += step.bytes;
      sum.peak_bytes = std::max(sum.peak_bytes, step.bytes);
    }
    mark.seconds = sum.seconds;
    mark.compression_seconds = sum.compression_seconds;
    mark.mean_bytes = sum.mean_bytes / static_cast<double>(done);
    mark.peak_bytes = sum.peak_bytes;
  }
}

}  // namespace

std::vector<std::size_t> generation_marks(std::size_t generate) {
  std::vector<std::size_t> marks;
  for (std::size_t mark = kFirstMark; mark < generate; mark *= 2) marks.push_back(mark);
  marks.push_back(generate);
  return marks;
}

GenerationResult run_generation(const Weights& weights, Threads& threads, const KvOptions& kv,
                                const GenerationTest& test) {
  if (test.prompt > weights.config.context ||
      test.generate > weights.config.context - test.prompt) {
    throw_usage(
        "--generation {} behind a prompt of {} is longer than the model's context of {} tokens",
        test.generate, test.prompt, weights.config.context);
  }
  GenerationResult result;
  result.test = test;
  result.free_bytes = default_cache_memory(weights.mapped_bytes());
  const std::optional<HeadSet> heads = choose_heads(kv, weights.config.kv_shape());
  std::size_t steps = 0;
  for (const std::size_t generated : generation_marks(test.generate)) {
    PlanRequest request;
    request.prompt = test.prompt;
    request.generate = generated;
    request.sequences = test.batch;
    request.kv = kv;
    request.heads = heads ? &*heads : nullptr;
    request.kv_memory = result.free_bytes;
    // The last token has a row here, which the plan leaves out: one page of each head at most.
    const Plan plan = make_plan(weights.config, request);
    GenerationMark mark;
    mark.generated = generated;
    mark.needed_bytes = plan.peak_pages + test.batch * page_bytes_for(weights.config, kv.type, 1);
    mark.fits = mark.needed_bytes <= result.free_bytes;
    if (mark.fits) steps = generated;
    result.marks.push_back(mark);
  }
  if (steps == 0) return result;

  Generation generation(weights, threads, kv, test, result.free_bytes);
  std::vector<std::size_t> starts;
  if (test.points > 0) starts = choose_stops(kv, test.prompt, steps, test.points);
  std::vector<bool> model(steps, test.points == 0);
  for (const std::size_t start : starts) {
    for (std::size_t g = start; g < std::min(steps, start + kStopSteps + 1); ++g) model[g] = true;
  }
  std::vector<Step> all;
  all.reserve(steps);
  for (std::size_t g = 0; g < steps; ++g) all.push_back(generation.step(model[g]));
  for (const std::size_t start : starts) {
    result.stops.push_back(summarise(start, all, std::min(steps, start + kStopSteps + 1)));
  }
  fill_marks(all, result);
  return result;
}

}  // namespace laconic::cli
