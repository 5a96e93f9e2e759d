// SPDX-License-Identifier: Apache-2.0
#include "train/run_start.h"

#include "base/error.h"
#include "train/model_folder.h"
#include "train/simd_target.h"

namespace laconic::train {
namespace {

std::string machine_name(const torch::Device& device) {
  if (!device.is_cpu()) return device.str();
  return fmt::format("cpu with {} threads and {}", at::get_num_threads(),
                     simd_target_name(best_simd_target()));
}

// The same folder under another spelling is the same folder.
std::string init_name(const std::filesystem::path& init) {
  return init.empty() ? std::string() : std::filesystem::weakly_canonical(init).string();
}

}  // namespace

TextLimits text_limits(const Recipe& recipe, const DecoderConfig& config) {
  return {recipe.batch_tokens, static_cast<std::size_t>(config.context)};
}

DecoderConfig checked_config(const Recipe& recipe, const TextSource& source) {
  check_tokenizer_folder(recipe.tokenizer);
  Json model = recipe.model;
  if (!model.contains("vocab_size")) model["vocab_size"] = source.vocab_size();
  const auto config = DecoderConfig::from_json(model, "\"model\" of " + recipe.file.string());
  if (config.vocab < static_cast<std::int64_t>(source.vocab_size())) {
    throw_input("{}: \"model.vocab_size\" is {}, the tokenizer has {} tokens", recipe.file.string(),
                config.vocab, source.vocab_size());
  }
  source.check(text_limits(recipe, config));
  return config;
}

RunState first_state(const Recipe& recipe, const DecoderConfig& config, const TextSource& source,
                     const std::filesystem::path& init, const torch::Device& device) {
  RunState state;
  state.recipe = recipe.resolved();
  state.recipe["model"] = config.to_json();
  state.source = source.fingerprint();
  state.init = init_name(init);
  state.machine = machine_name(device);
  return state;
}

}  // namespace laconic::train
