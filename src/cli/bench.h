// SPDX-License-Identifier: Apache-2.0
// Speed tests of a model: prompts and decoding, at depths and batch sizes. Tokenising and sampling
// are left out and every test has a warm-up, as in llama-bench.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/threads.h"
#include "cli/bench_sequences.h"
#include "kv/sequence_cache.h"
#include "model/decoder.h"
#include "model/weights.h"

namespace laconic::cli {

enum class DepthFill {
  kRandomRows,    // rows written straight into the cache
  kPromptTokens,  // random tokens through the model
};

// Prompt tests read `prompt` tokens per sequence from an empty cache; decode tests generate
// `generate` tokens per sequence on top of `depth` rows. One of the two is 0.
struct BenchTest {
  std::size_t batch = 1, prompt = 0, generate = 0, depth = 0;

  std::string label() const;   // "pp512", "tg64 @ d8192"
  std::size_t tokens() const;  // of all sequences
};

struct BenchResult {
  BenchTest test;
  std::vector<double> seconds;    // [repetitions]
  std::size_t kv_peak_bytes = 0;  // rows held by all sequences
  // Weights and cache rows that the steps of one repetition read; nothing for prompts, whose time
  // goes into arithmetic.
  std::optional<double> bytes_moved;
  std::string started;  // UTC, ISO 8601
};

class BenchRunner {
 public:
  struct Setup {
    KvOptions kv;
    std::size_t chunk = 512;  // prompt tokens per forward pass
    std::size_t repetitions = 3;
    DepthFill fill = DepthFill::kRandomRows;
  };
  BenchRunner(const Weights& weights, Threads& threads, const Setup& setup);
  ~BenchRunner();

  // Error(kUsage) when the test is longer than the model's context, Error(kResource) when its rows
  // do not fit into memory.
  void check(const BenchTest& test) const;
  BenchResult run(const BenchTest& test);

 private:
  std::unique_ptr<BenchSequences> make_sequences(const BenchTest& test);
  void read_prompt(BenchSequences& sequences, std::size_t tokens);
  void fill_random(BenchSequences& sequences, std::size_t rows);
  void bring_to_depth(std::unique_ptr<BenchSequences>& sequences, const BenchTest& test);
  void generate(BenchSequences& sequences, std::size_t tokens, BenchResult& result);

  const Weights& weights_;
  Threads& threads_;
  Setup setup_;
  std::optional<HeadSet> heads_;  // nothing: all are full
  Decoder decoder_;
  BenchNoise noise_;
};

// What the report says besides the results.
struct BenchContext {
  std::string model_path, model_type, cpu, simd;
  std::size_t model_bytes = 0, parameters = 0, threads = 0;
  std::size_t bytes_per_step = 0;  // of the weights
  // Bytes per second, median and range of the probes that were taken between the tests: what a
  // shared machine can read changes within a run.
  double read_bandwidth = 0, slowest_read = 0, fastest_read = 0;
  BenchRunner::Setup setup;
};

enum class BenchFormat { kMarkdown, kJson, kCsv };

// The whole report as text.
std::string bench_report(BenchFormat format, const BenchContext& context,
                         const std::vector<BenchResult>& results);

}  // namespace laconic::cli
