// SPDX-License-Identifier: Apache-2.0
#include "train/pretrain.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/error_text.h"
#include "train/initial_weights.h"
#include "train/model_folder.h"
#include "train/optimizer.h"
#include "train/pace.h"
#include "train/resume.h"
#include "train/run_folder.h"
#include "train/run_log.h"
#include "train/run_start.h"

namespace laconic::train {
namespace {

using Clock = Pace::Clock;

constexpr std::uint64_t kLogSteps = 20;
// A gradient that is not finite is skipped; so many in a row mean that nothing is learned any more.
constexpr int kMostSkipped = 20;
// After a full disk: soon enough to lose little, seldom enough not to fill the terminal.
constexpr double kRetrySeconds = 60;

struct EvaluationStopped {};

class Run {
 public:
  Run(const Recipe& recipe, const TextSource& source, const PretrainOptions& options,
      const PretrainHooks& hooks)
      : recipe_(recipe),
        source_(source),
        options_(options),
        hooks_(hooks),
        config_(checked_config(recipe, source)),
        folder_(options.out, recipe.file),
        decoder_(config_, recipe.seed, options.device),
        optimizer_(recipe.optimizer, decoder_.parameters()) {
    state_ = first_state(recipe, config_, source, options.init, options.device);
    find_place();
  }

  PretrainEnd go();

 private:
  void find_place();
  void train();
  void step(Stream& stream);
  void show_progress() const;
  void log_step(double norm, double share);
  void evaluate();
  bool save_checkpoint();
  void save_model() { write_model_folder(decoder_, recipe_.tokenizer, folder_.model()); }

  bool finished() const { return state_.stream.tokens >= recipe_.tokens; }
  bool told_to_stop() const {
    return (hooks_.stop && hooks_.stop()) ||
           (options_.stop_after_steps && steps_here_ >= *options_.stop_after_steps);
  }
  bool evaluation_due() const {
    const std::uint64_t every = recipe_.evaluate.every_tokens;
    if (every == 0 || !hooks_.evaluate || state_.evaluated_tokens >= state_.stream.tokens) {
      return false;
    }
    return finished() || state_.stream.tokens / every > state_.evaluated_tokens / every;
  }
  void say(const std::string& sentence) const {
    if (hooks_.say) hooks_.say(sentence);
  }
  double mean_loss() const {
    return state_.loss_steps == 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : state_.loss_sum / static_cast<double>(state_.loss_steps);
  }
  double seconds() const { return seconds_before_ + pace_.seconds(); }
  NamedTensors tensors() const;
  PackedBatch to_device(TextBatch batch) const;

  const Recipe& recipe_;
  const TextSource& source_;
  const PretrainOptions& options_;
  const PretrainHooks& hooks_;
  DecoderConfig config_;
  RunFolder folder_;
  Decoder decoder_;
  Optimizer optimizer_;
  RunState state_;
  // Whether weights and state_ make a checkpoint: not in the middle of a step, nor when nothing is
  // learned any more and the checkpoint before is worth more.
  bool whole_ = true;
  std::optional<RunLog> log_;
  std::optional<double> held_out_;
  std::uint64_t steps_here_ = 0;
  int skipped_ = 0;
  double seconds_before_ = 0;
  Pace pace_;
};

NamedTensors Run::tensors() const {
  NamedTensors all;
  for (const auto& [name, tensor] : decoder_.parameters())
    all.emplace_back("model." + name, tensor);
  for (auto& item : optimizer_.state()) all.push_back(std::move(item));
  return all;
}

// At the newest checkpoint, or at the beginning.
void Run::find_place() {
  const auto found = resume(folder_.path(), state_, tensors(),
                            [this](const std::string& sentence) { say(sentence); });
  if (found) {
    state_ = *found;
    optimizer_.set_steps(state_.updates);
    seconds_before_ = state_.seconds;
  } else if (!options_.init.empty()) {
    load_initial_weights(options_.init, recipe_.tokenizer, decoder_);
  }
  log_.emplace(folder_.log(), state_.step);
  if (const Json& line = log_->last_held_out(); !line.is_null()) {
    held_out_ = line["held_out"].value("accuracy", 0.0);
  }
}

PackedBatch Run::to_device(TextBatch batch) const {
  const auto tensor = [&](const std::vector<std::int64_t>& values) {
    return torch::tensor(values, torch::kI64).to(options_.device);
  };
  return {tensor(batch.ids), tensor(batch.targets), tensor(batch.positions),
          std::move(batch.starts)};
}

void Run::step(Stream& stream) {
  const Clock::time_point begin = Clock::now();
  TextBatch texts = stream.next();
  const StreamState after = texts.after;
  const double share = schedule_share(recipe_.schedule, state_.stream.tokens, recipe_.tokens);
  const Tensor loss = decoder_.loss(to_device(std::move(texts)), recipe_.precision);
  loss.backward();
  whole_ = false;
  const double norm = optimizer_.step(share);
  if (std::isfinite(norm)) {
    skipped_ = 0;
  } else if (++skipped_ == kMostSkipped) {
    throw_input(
        "{}: the gradient was not finite in {} steps up to {}; a lower learning rate may "
        "help",
        recipe_.file.string(), kMostSkipped, state_.step);
  }
  state_.updates = optimizer_.steps();
  // JSON knows no other numbers than finite ones.
  if (const auto value = loss.item<double>(); std::isfinite(value)) {
    state_.loss_sum += value;
    ++state_.loss_steps;
  }
  ++state_.step;
  ++steps_here_;
  const std::uint64_t tokens = after.tokens - state_.stream.tokens;
  state_.stream = after;
  whole_ = true;
  pace_.add_step(tokens, Pace::seconds_since(begin));
  if (hooks_.progress) show_progress();
  if (state_.step % kLogSteps == 0 || finished()) log_step(norm, share);
}

void Run::show_progress() const {
  const std::uint64_t tokens = state_.stream.tokens;
  const std::uint64_t left = recipe_.tokens - std::min(recipe_.tokens, tokens);
  hooks_.progress({state_.step, tokens, recipe_.tokens, mean_loss(), pace_.tokens_per_second(),
                   pace_.seconds_for(left), held_out_});
}

void Run::log_step(double norm, double share) {
  nlohmann::ordered_json line = {{"step", state_.step}, {"tokens", state_.stream.tokens}};
  if (state_.loss_steps > 0) line["loss"] = mean_loss();
  line["learning_rate"] = share * recipe_.optimizer.learning_rate;
  if (std::isfinite(norm)) line["gradient_norm"] = norm;
  line["tokens_per_second"] = pace_.line_tokens_per_second();
  line["difficulty"] = source_.difficulty(state_.stream.tokens);
  line["seconds"] = seconds();
  try {
    log_->append(line);
  } catch (const Error& error) {
    say(fmt::format("{}; training goes on without this line", error.what()));
  }
  state_.loss_sum = 0;
  state_.loss_steps = 0;
  pace_.begin_line();
}

void Run::evaluate() {
  const Clock::time_point begin = Clock::now();
  try {
    save_model();
    const HeldOut result = hooks_.evaluate(folder_.model(), [&] {
      if (hooks_.stop && hooks_.stop()) throw EvaluationStopped{};
    });
    held_out_ = result.accuracy();
    nlohmann::ordered_json held_out = result.to_json();
    held_out["seconds"] = Pace::seconds_since(begin);
    log_->append({{"step", state_.step},
                  {"tokens", state_.stream.tokens},
                  {"held_out", std::move(held_out)},
                  {"seconds", seconds()}});
  } catch (const EvaluationStopped&) {
    return;  // due again when the run goes on
  } catch (const std::exception& error) {
    say(fmt::format("held-out accuracy is missing at step {}: {}", state_.step, error_text(error)));
  }
  state_.evaluated_tokens = state_.stream.tokens;
}

bool Run::save_checkpoint() {
  state_.seconds = seconds();
  try {
    write_checkpoint(folder_.path(), state_, tensors());
    return true;
  } catch (const std::exception& error) {
    say(fmt::format("{}; the checkpoint before stays", error_text(error)));
    return false;
  }
}

void Run::train() {
  Clock::time_point saved = Clock::now();
  double wait = recipe_.checkpoint_seconds;
  std::optional<Stream> stream;
  while (true) {
    if (evaluation_due()) evaluate();
    if (finished() || told_to_stop()) break;
    if (Pace::seconds_since(saved) >= wait && steps_here_ > 0) {
      wait = save_checkpoint() ? recipe_.checkpoint_seconds
                               : std::min(kRetrySeconds, recipe_.checkpoint_seconds);
      saved = Clock::now();
    }
    if (!stream) stream.emplace(source_, text_limits(recipe_, config_), state_.stream);
    step(*stream);
  }
}

PretrainEnd Run::go() {
  try {
    train();
  } catch (...) {
    if (whole_ && steps_here_ > 0) save_checkpoint();
    throw;
  }
  if (!save_checkpoint()) {
    throw_resource("the last checkpoint of {} could not be written; the one before stays",
                   folder_.path().string());
  }
  save_model();
  // A last evaluation that was stopped is still to come.
  return finished() && !evaluation_due() ? PretrainEnd::kFinished : PretrainEnd::kStopped;
}

}  // namespace

PretrainEnd pretrain(const Recipe& recipe, const TextSource& source, const PretrainOptions& options,
                     const PretrainHooks& hooks) {
  return Run(recipe, source, options, hooks).go();
}

}  // namespace laconic::train
