// SPDX-License-Identifier: Apache-2.0
// `laconic run`: one answer, or a conversation.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/kv_trace_file.h"
#include "cli/run_chat.h"
#include "cli/run_options.h"
#include "cli/run_output.h"
#include "cli/run_session.h"
#include "cli/standard_streams.h"

namespace laconic::cli {
namespace {

int run_single(const Model& model, Session& session, const RunOptions& options) {
  RunSession text(model, session, options);
  const SequenceId sequence = text.start();
  KvTraceFile trace(options.kv_trace);
  if (!options.kv_trace.empty()) {
    session.set_kv_trace(
        [&](SequenceId, std::size_t step, std::size_t layer, std::size_t kv_head,
            std::span<const std::int32_t> kept) { trace.add(step, layer, kv_head, kept); });
  }
  InterruptWatch interrupt;
  AnswerPrinter printer;
  const auto show = [&](const StepEvent& event) {
    if (!options.json) printer.show(event);
  };
  while (session.step(show)) {
    if (interrupt.requested() || std::ferror(stdout) != 0) session.cancel(sequence);
  }
  if (!options.json) printer.finish();
  check_stdout();
  if (!options.kv_trace.empty()) trace.finish();

  const Generation& result = session.result(sequence);
  const KvOptions kv = options.kv.options();
  if (options.json) {
    const std::string line = dump_json(generation_json(result, kv)) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
  } else {
    print_statistics(result, kv);
  }
  // Last, so that a full disk does not cost the answer.
  check_stdout();
  text.save();
  if (!options.logits_out.empty()) write_logits(options.logits_out, result);
  return 0;
}

class RunCommand : public Command {
 public:
  CLI::App* declare(CLI::App& tool) override {
    CLI::App* app = tool.add_subcommand("run", "Answer a prompt, or talk");
    options_.declare(*app);
    return app;
  }

  int run() override {
    options_.check();
    options_.machine.apply();
    const Model model = Model::open(options_.model, options_.model_options());
    for (const std::string& name : model.info().not_quantized) {
      fmt::print(stderr, "not quantised: {}\n", name);
    }
    options_.sampling.resolve(model.default_sampling());
    Session session(model, options_.session_options());
    return options_.conversation ? run_conversation(model, session, options_)
                                 : run_single(model, session, options_);
  }

 private:
  RunOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_run_command() { return std::make_unique<RunCommand>(); }

}  // namespace laconic::cli
