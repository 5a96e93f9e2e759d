// SPDX-License-Identifier: Apache-2.0
#include "train/pretrain.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "train/checkpoint.h"
#include "train/model_folder.h"
#include "train/optimizer.h"
#include "train/run_folder.h"
#include "train/run_log.h"

namespace laconic::train {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kLogSteps = 20;
// A gradient that is not finite is skipped; so many in a row mean that nothing is learned any more.
constexpr int kMostSkipped = 20;
// After a full disk: soon enough to lose little, seldom enough not to fill the terminal.
constexpr double kRetrySeconds = 60;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct EvaluationStopped {};

DecoderConfig decoder_config(const Recipe& recipe, const TextSource& source) {
  Json model = recipe.model;
  if (!model.contains("vocab_size")) model["vocab_size"] = source.vocab_size();
  const auto config = DecoderConfig::from_json(model, "\"model\" of " + recipe.file.string());
  if (config.vocab < static_cast<std::int64_t>(source.vocab_size())) {
    throw_input("{}: \"model.vocab_size\" is {}, the tokenizer has {} tokens", recipe.file.string(),
                config.vocab, source.vocab_size());
  }
  return config;
}

std::string machine_name(const torch::Device& device) {
  return device.is_cpu() ? fmt::format("cpu with {} threads", at::get_num_threads()) : device.str();
}

class Run {
 public:
  Run(const Recipe& recipe, const TextSource& source, const PretrainOptions& options,
      const PretrainHooks& hooks)
      : recipe_(recipe),
        source_(source),
        options_(options),
        hooks_(hooks),
        config_(decoder_config(recipe, source)),
        folder_(options.out, recipe.file),
        decoder_(config_, recipe.seed, options.device),
        optimizer_(recipe.optimizer, decoder_.parameters()) {
    identity_ = recipe_.resolved();
    identity_["model"] = config_.to_json();
    if (!resume()) begin();
    state_.recipe = identity_;
    state_.machine = machine_name(options_.device);
  }

  PretrainEnd go();

 private:
  bool resume();
  void take_over(RunState state, const std::filesystem::path& file);
  void begin();
  void step(Stream& stream);
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
  double seconds() const { return seconds_before_ + seconds_since(start_); }
  NamedTensors tensors() const;
  PackedBatch to_device(TextBatch batch) const;

  const Recipe& recipe_;
  const TextSource& source_;
  const PretrainOptions& options_;
  const PretrainHooks& hooks_;
  DecoderConfig config_;  // checked before the folder is made
  RunFolder folder_;
  Decoder decoder_;
  Optimizer optimizer_;
  Json identity_;
  RunState state_;
  std::optional<RunLog> log_;
  std::optional<double> held_out_;
  std::uint64_t steps_here_ = 0, tokens_here_ = 0;
  int skipped_ = 0;
  double seconds_before_ = 0, step_seconds_ = 0;
  double line_seconds_ = 0;  // of the steps since the last line
  std::uint64_t line_tokens_ = 0;
  Clock::time_point start_ = Clock::now();
};

NamedTensors Run::tensors() const {
  NamedTensors all;
  for (const auto& [name, tensor] : decoder_.parameters())
    all.emplace_back("model." + name, tensor);
  for (auto& item : optimizer_.state()) all.push_back(std::move(item));
  return all;
}

// The newest checkpoint that can be read.
bool Run::resume() {
  const auto files = checkpoint_files(folder_.path());
  for (const auto& file : files) {
    RunState state;
    try {
      state = read_run_state(file);
    } catch (const Error& error) {
      say(fmt::format("{}; trying the checkpoint before it", error.what()));
      continue;
    }
    take_over(std::move(state), file);
    return true;
  }
  if (!files.empty()) {
    throw_input("{} has {} checkpoints, none of them can be read: an empty --out starts over",
                folder_.path().string(), files.size());
  }
  return false;
}

void Run::take_over(RunState state, const std::filesystem::path& file) {
  const std::string where = file.string();
  const RecipeChanges changes = recipe_changes(state.recipe, identity_);
  if (!changes.forbidden.empty()) {
    throw_usage("{} is a checkpoint of another recipe: {} differs", where,
                fmt::join(changes.forbidden, ", "));
  }
  if (state.source != source_.fingerprint()) {
    throw_usage("{} is a checkpoint of another recipe: its data is \"{}\", not \"{}\"", where,
                state.source, source_.fingerprint());
  }
  if (!options_.init.empty() && options_.init.string() != state.init) {
    throw_usage("--init {} cannot take effect: the run in {} has begun {}", options_.init.string(),
                folder_.path().string(),
                state.init.empty() ? "with random weights" : "from " + state.init);
  }
  read_tensors(file, tensors());
  optimizer_.set_steps(state.updates);
  seconds_before_ = state.seconds;
  log_.emplace(folder_.log(), state.step);
  if (const Json& line = log_->last_held_out(); !line.is_null()) {
    held_out_ = line["held_out"].value("accuracy", 0.0);
  }
  say(fmt::format("going on from step {} of {}", state.step, where));
  if (!changes.allowed.empty()) {
    say(fmt::format("the recipe has changed: {}", fmt::join(changes.allowed, ", ")));
  }
  if (const std::string now = machine_name(options_.device); now != state.machine) {
    say(fmt::format("the run was on {} and goes on on {}: its weights will differ by rounding",
                    state.machine, now));
  }
  state_ = std::move(state);
}

void Run::begin() {
  if (!options_.init.empty()) decoder_.load_weights(options_.init);
  state_.init = options_.init.string();
  state_.source = source_.fingerprint();
  log_.emplace(folder_.log(), 0);
}

PackedBatch Run::to_device(TextBatch batch) const {
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i) {
    if (const auto length = batch.starts[i + 1] - batch.starts[i]; length > config_.context) {
      throw_input("a text of {} tokens is longer than \"max_position_embeddings\", {}", length,
                  config_.context);
    }
  }
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
  state_.loss_sum += loss.item<double>();
  ++state_.loss_steps;
  ++state_.step;
  ++steps_here_;
  const std::uint64_t tokens = after.tokens - state_.stream.tokens;
  state_.stream = after;
  tokens_here_ += tokens;
  line_tokens_ += tokens;
  const double taken = seconds_since(begin);
  line_seconds_ += taken;
  step_seconds_ += taken;
  if (hooks_.progress) {
    const double rate = static_cast<double>(tokens_here_) / step_seconds_;
    const auto left = static_cast<double>(recipe_.tokens - std::min(recipe_.tokens, after.tokens));
    // Evaluations and checkpoints take their share of the time left, too.
    const double overall = static_cast<double>(tokens_here_) / seconds_since(start_);
    hooks_.progress({state_.step, after.tokens, recipe_.tokens,
                     state_.loss_sum / static_cast<double>(state_.loss_steps), rate, left / overall,
                     held_out_});
  }
  if (state_.step % kLogSteps == 0 || finished()) log_step(norm, share);
}

void Run::log_step(double norm, double share) {
  const nlohmann::ordered_json line = {
      {"step", state_.step},
      {"tokens", state_.stream.tokens},
      {"loss", state_.loss_sum / static_cast<double>(state_.loss_steps)},
      {"learning_rate", share * recipe_.optimizer.learning_rate},
      {"gradient_norm", norm},
      {"tokens_per_second", static_cast<double>(line_tokens_) / line_seconds_},
      {"difficulty", source_.difficulty(state_.stream.tokens)},
      {"seconds", seconds()}};
  try {
    log_->append(line);
  } catch (const Error& error) {
    say(fmt::format("{}; training goes on without this line", error.what()));
  }
  state_.loss_sum = 0;
  state_.loss_steps = 0;
  line_seconds_ = 0;
  line_tokens_ = 0;
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
    held_out["seconds"] = seconds_since(begin);
    log_->append({{"step", state_.step},
                  {"tokens", state_.stream.tokens},
                  {"held_out", std::move(held_out)},
                  {"seconds", seconds()}});
  } catch (const EvaluationStopped&) {
    return;  // due again when the run goes on
  } catch (const Error& error) {
    say(fmt::format("held-out accuracy is missing at step {}: {}", state_.step, error.what()));
  }
  state_.evaluated_tokens = state_.stream.tokens;
}

bool Run::save_checkpoint() {
  state_.seconds = seconds();
  try {
    write_checkpoint(folder_.path(), state_, tensors());
    return true;
  } catch (const Error& error) {
    say(fmt::format("{}; the checkpoint before stays", error.what()));
    return false;
  }
}

PretrainEnd Run::go() {
  Clock::time_point saved = Clock::now();
  double wait = recipe_.checkpoint_seconds;
  std::optional<Stream> stream;
  while (true) {
    if (evaluation_due()) evaluate();
    if (finished() || told_to_stop()) break;
    if (seconds_since(saved) >= wait && steps_here_ > 0) {
      wait = save_checkpoint() ? recipe_.checkpoint_seconds
                               : std::min(kRetrySeconds, recipe_.checkpoint_seconds);
      saved = Clock::now();
    }
    if (!stream) stream.emplace(source_, recipe_.batch_tokens, state_.stream);
    step(*stream);
  }
  if (!save_checkpoint()) {
    throw_resource("the last checkpoint of {} could not be written; the one before stays",
                   folder_.path().string());
  }
  save_model();
  return finished() ? PretrainEnd::kFinished : PretrainEnd::kStopped;
}

}  // namespace

PretrainEnd pretrain(const Recipe& recipe, const TextSource& source, const PretrainOptions& options,
                     const PretrainHooks& hooks) {
  return Run(recipe, source, options, hooks).go();
}

}  // namespace laconic::train
