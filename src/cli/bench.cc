// SPDX-License-Identifier: Apache-2.0
// `laconic bench`: llama-bench's tests and columns, with the cache's memory and the share of the
// machine's read bandwidth beside them.
#include "cli/bench.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "cli/bench_generation.h"
#include "cli/command.h"
#include "cli/kv_flags.h"
#include "cli/loading_flags.h"
#include "cli/machine_flags.h"
#include "cli/numbers.h"
#include "cli/values.h"
#include "kernels/system.h"

namespace laconic::cli {
namespace {

// "qwen3 0.6B q8_0": the type that most matrices have.
std::string model_type(const Weights& weights) {
  const auto parameters = static_cast<double>(weights.parameters());
  const std::string size = parameters >= 1e8   ? fmt::format("{:.1f}B", parameters / 1e9)
                           : parameters >= 1e6 ? fmt::format("{:.1f}M", parameters / 1e6)
                                               : fmt::format("{:.0f}K", parameters / 1e3);
  const DType type =
      weights.layers.empty() ? weights.head.type() : weights.layers.front().gate.type();
  return fmt::format("{} {} {}", architecture_name(weights.config.architecture), size,
                     dtype_name(type));
}

// Probes of the read bandwidth: one before each test and one after the last, five at least.
constexpr std::size_t kProbes = 5;
constexpr std::size_t kMostPoints = 4096;

class BenchCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("bench", "Measure speed and memory");
    app->add_option("-m,--model", model_, "Hugging Face directory or GGUF file")
        ->required()
        ->type_name("PATH");
    prompts_given_ = app->add_option("-p,--n-prompt", prompts_, "prompt lengths; 0: none (512)")
                         ->type_name("LIST");
    app->add_option("-n,--n-gen", lengths_, "answer lengths; 0: none (64)")->type_name("LIST");
    depths_given_ =
        app->add_option("-d,--n-depth", depths_, "rows in the cache before an answer (0,8192)")
            ->type_name("LIST");
    app->add_option("-b,--batch", batches_, "sequences at once (1,4)")->type_name("LIST");
    add_count(*app, "-r,--repetitions", setup_.repetitions, 1, kMostCount,
              "repetitions after a warm-up (3)");
    add_count(*app, "--ubatch-size", setup_.chunk, 1, kMostCount,
              "prompt tokens per forward pass (512)");
    app->add_option("-o,--output", output_, "md, json or csv (md)")
        ->transform(CLI::IsMember({"md", "json", "csv"}))
        ->type_name("FORMAT");
    add_count(*app, "--generation", generation_, 1, kMostCount,
              "instead: speed along whole answers of so many tokens, behind a prompt of -p");
    add_count(*app, "--points", points_, 2, kMostPoints,
              "with --generation: run the model at so many places of the answer and integrate");
    app->add_flag("--real-depth", real_depth_, "fill the depth with tokens, not random rows");
    add_quantize(*app, quantize_);
    kv_.declare(*app);
    machine_.declare(*app);
    app_ = app;
    return app;
  }

  int run() override {
    setup_.kv = kv_.options();
    setup_.fill = real_depth_ ? DepthFill::kPromptTokens : DepthFill::kRandomRows;
    const std::vector<GenerationTest> answers = plan_answers();
    std::vector<BenchTest> tests;
    if (answers.empty()) tests = plan_tests();
    machine_.apply();

    Checkpoint checkpoint = Checkpoint::open(model_);
    const std::optional<DType> type = quantize_.empty() ? std::nullopt : dtype_from_name(quantize_);
    const Weights weights = load_weights(checkpoint, type ? &*type : nullptr, machine_.threads());
    Threads threads(machine_.threads());
    BenchContext context = describe(weights, threads);
    const std::string report = answers.empty() ? run_tests(weights, threads, context, tests)
                                               : run_answers(weights, threads, context, answers);
    std::fwrite(report.data(), 1, report.size(), stdout);
    return 0;
  }

 private:
  BenchContext describe(const Weights& weights, const Threads& threads) const {
    BenchContext context;
    context.model_path = model_;
    context.model_type = model_type(weights);
    context.cpu = cpu_name();
    context.simd = simd_target().name;
    context.model_bytes = weights.total_bytes();
    context.bytes_per_step = weights.bytes_per_step();
    context.parameters = weights.parameters();
    context.threads = threads.size();
    context.setup = setup_;
    return context;
  }

  // What is measured, item by item, with probes of the read bandwidth between.
  template <typename Result, typename Item, typename Measure>
  static std::vector<Result> measure(Threads& threads, BenchContext& context,
                                     const std::vector<Item>& items, const Measure& run) {
    std::vector<Result> results;
    std::vector<double> probes;
    BandwidthProbe bandwidth(threads);
    for (const Item& item : items) {
      probes.push_back(bandwidth.measure());
      results.push_back(run(item));
    }
    do {
      probes.push_back(bandwidth.measure());
    } while (probes.size() < kProbes);
    std::sort(probes.begin(), probes.end());
    context.read_bandwidth = probes[probes.size() / 2];
    context.slowest_read = probes.front();
    context.fastest_read = probes.back();
    return results;
  }

  static void say(const std::string& label, std::size_t batch) {
    if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}, batch {}\n", label, batch);
  }

  BenchFormat format() const {
    return output_ == "json"  ? BenchFormat::kJson
           : output_ == "csv" ? BenchFormat::kCsv
                              : BenchFormat::kMarkdown;
  }

  std::string run_tests(const Weights& weights, Threads& threads, BenchContext& context,
                        std::vector<BenchTest>& tests) const {
    BenchRunner runner(weights, threads, setup_);
    for (BenchTest& test : tests) {
      clip_defaults(test, weights.config.context);
      runner.check(test);
    }
    const auto results = measure<BenchResult>(threads, context, tests, [&](const BenchTest& test) {
      say(test.label(), test.batch);
      return runner.run(test);
    });
    return bench_report(format(), context, results);
  }

  std::string run_answers(const Weights& weights, Threads& threads, BenchContext& context,
                          const std::vector<GenerationTest>& answers) const {
    const auto results =
        measure<GenerationResult>(threads, context, answers, [&](const GenerationTest& test) {
          say(fmt::format("{} tokens behind {}", test.generate, test.prompt), test.batch);
          return run_generation(weights, threads, setup_.kv, test);
        });
    return generation_report(format(), context, results);
  }

  // Defaults that are longer than the model's context are cut to it; what was typed is not.
  void clip_defaults(BenchTest& test, std::size_t context) const {
    if (prompts_given_->empty()) test.prompt = std::min(test.prompt, context);
    if (depths_given_->empty()) {
      test.depth = std::min(test.depth, context - std::min(context, test.prompt + test.generate));
    }
  }

  // Empty: --generation was not given.
  std::vector<GenerationTest> plan_answers() const {
    if (generation_ == 0) {
      if (points_ > 0) throw_usage("--points has no effect without --generation");
      return {};
    }
    for (const char* idle : {"-n", "-d", "-r", "--ubatch-size", "--real-depth"}) {
      if (app_->get_option(idle)->count() > 0) {
        throw_usage("{} has no effect with --generation", idle);
      }
    }
    if (output_ == "csv") throw_usage("--generation is told as md or json, not as csv");
    const auto prompts = parse_counts(prompts_, "-p"), batches = parse_counts(batches_, "-b");
    std::vector<GenerationTest> answers;
    for (std::size_t batch : batches) {
      if (batch == 0) throw_usage("-b is \"{}\"; a batch needs at least one sequence", batches_);
      for (std::size_t prompt : prompts) {
        if (prompt == 0) throw_usage("--generation needs a prompt; -p is \"{}\"", prompts_);
        answers.push_back({batch, prompt, generation_, points_});
      }
    }
    return answers;
  }

  std::vector<BenchTest> plan_tests() const {
    const auto prompts = parse_counts(prompts_, "-p"), lengths = parse_counts(lengths_, "-n");
    const auto depths = parse_counts(depths_, "-d"), batches = parse_counts(batches_, "-b");
    std::vector<BenchTest> tests;
    for (std::size_t batch : batches) {
      if (batch == 0) throw_usage("-b is \"{}\"; a batch needs at least one sequence", batches_);
      for (std::size_t prompt : prompts) {
        if (prompt > 0) tests.push_back({batch, prompt, 0, 0});
      }
      for (std::size_t depth : depths) {
        for (std::size_t length : lengths) {
          if (length > 0) tests.push_back({batch, 0, length, depth});
        }
      }
    }
    if (tests.empty()) throw_usage("-p 0 and -n 0 leave nothing to measure");
    return tests;
  }

  std::string model_, quantize_, output_ = "md";
  std::string prompts_ = "512", lengths_ = "64", depths_ = "0,8192", batches_ = "1,4";
  CLI::Option *prompts_given_ = nullptr, *depths_given_ = nullptr;
  std::size_t generation_ = 0, points_ = 0;  // 0: not given
  bool real_depth_ = false;
  CLI::App* app_ = nullptr;
  BenchRunner::Setup setup_;
  KvFlags kv_;
  MachineFlags machine_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace laconic::cli
