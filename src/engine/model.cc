// SPDX-License-Identifier: Apache-2.0
#include "laconic/model.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "engine/model_impl.h"
#include "engine/sampler.h"
#include "text/reasoning.h"

namespace laconic {
namespace {

std::optional<DType> quantize_type(const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto type = dtype_from_name(name);
  if (type != DType::kQ8_0 && type != DType::kQ4_0) {
    throw_usage("--quantize {} is not known: q8_0 and q4_0 are", name);
  }
  return type;
}

SamplingOptions recommended_sampling(const Json& generation, const std::string& where) {
  SamplingOptions options;
  if (!json_optional<bool>(generation, "do_sample", where).value_or(false)) return options;
  options.temperature = json_optional<double>(generation, "temperature", where).value_or(1.0);
  // Hugging Face's default; some files say -1 for all.
  const auto top_k = json_optional<std::int64_t>(generation, "top_k", where).value_or(50);
  options.top_k = top_k > 0 ? static_cast<std::size_t>(top_k) : 0;
  options.top_p = json_optional<double>(generation, "top_p", where).value_or(1.0);
  options.min_p = json_optional<double>(generation, "min_p", where).value_or(0.0);
  options.repeat_penalty =
      json_optional<double>(generation, "repetition_penalty", where).value_or(1.0);
  options.repeat_window = 0;
  try {
    validate(options);
  } catch (const Error& error) {
    throw_input("{}: {}", where, error.what());
  }
  return options;
}

ModelInfo describe(const Checkpoint& checkpoint, const Weights& weights) {
  const ModelConfig& config = weights.config;
  ModelInfo info;
  info.name = config.name;
  info.architecture = architecture_name(config.architecture);
  info.format = checkpoint.format();
  info.layers = config.layers;
  info.hidden = config.hidden;
  info.heads = config.heads;
  info.kv_heads = config.kv_heads;
  info.head_dim = config.head_dim;
  info.vocab = config.vocab;
  info.context = config.context;
  info.parameters = weights.parameters();
  info.weight_bytes = weights.total_bytes();
  info.not_quantized = weights.not_quantized;
  return info;
}

std::optional<ChatTemplate> choose_template(const std::string& given,
                                            const std::optional<Tokenizer>& tokenizer) {
  if (!given.empty()) return ChatTemplate(given);
  if (tokenizer && !tokenizer->data().chat_template.empty()) {
    return ChatTemplate(tokenizer->data().chat_template);
  }
  return std::nullopt;
}

std::string token_text(const TokenizerData& data, TokenId id) {
  return id < 0 ? std::string() : data.tokens[static_cast<std::size_t>(id)];
}

}  // namespace

bool Model::Impl::is_end(std::int32_t id) const {
  if (tokenizer && tokenizer->is_end(id)) return true;
  const auto& eos = weights.config.eos;
  return std::find(eos.begin(), eos.end(), id) != eos.end();
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model::~Model() = default;

Model Model::open(const std::filesystem::path& path, const ModelOptions& options) {
  const auto quantize = quantize_type(options.quantize);
  Checkpoint checkpoint = Checkpoint::open(path);
  auto tokenizer = checkpoint.tokenizer();
  auto chat_template = choose_template(options.chat_template, tokenizer);
  const SamplingOptions sampling = recommended_sampling(
      checkpoint.generation_config(), "generation_config.json of " + path.string());
  Weights weights = load_weights(checkpoint, quantize ? &*quantize : nullptr, options.threads);
  ModelInfo info = describe(checkpoint, weights);
  if (info.name.empty()) info.name = path.filename().string();
  return Model(
      std::make_unique<Impl>(Impl{std::move(checkpoint), std::move(weights), std::move(tokenizer),
                                  std::move(chat_template), std::move(info), sampling}));
}

const ModelInfo& Model::info() const { return impl_->info; }
SamplingOptions Model::default_sampling() const { return impl_->sampling; }
bool Model::has_tokenizer() const { return impl_->tokenizer.has_value(); }
bool Model::has_chat_template() const { return impl_->chat_template.has_value(); }

std::vector<std::int32_t> Model::tokenize(std::string_view text, bool add_special) const {
  if (!impl_->tokenizer) throw_input("{} has no tokenizer: give ids instead", info().name);
  return impl_->tokenizer->encode(text, {add_special, /*parse_special=*/true});
}

std::string Model::detokenize(std::span<const std::int32_t> ids, bool skip_special) const {
  if (!impl_->tokenizer) throw_input("{} has no tokenizer: text cannot be made", info().name);
  std::vector<std::int32_t> known;  // ids of padded embedding rows have no text
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= info().vocab) {
      throw_usage("token id {} is not in the vocabulary: 0 to {} are", id, info().vocab - 1);
    }
    if (static_cast<std::size_t>(id) < impl_->tokenizer->vocab_size()) known.push_back(id);
  }
  return impl_->tokenizer->decode(known, skip_special);
}

std::string Model::apply_chat_template(std::span<const ChatMessage> messages,
                                       Reasoning reasoning) const {
  if (!impl_->chat_template) throw_input("{} has no chat template", info().name);
  nlohmann::ordered_json context;
  context["messages"] = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) {
    context["messages"].push_back({{"role", message.role}, {"content", message.content}});
  }
  context["add_generation_prompt"] = true;
  if (impl_->tokenizer) {
    const TokenizerData& data = impl_->tokenizer->data();
    context["bos_token"] = token_text(data, data.bos);
    context["eos_token"] = token_text(data, data.eos);
  }
  if (reasoning == Reasoning::kAuto) return impl_->chat_template->render(context);
  const bool on = reasoning == Reasoning::kOn;
  context["enable_thinking"] = !on;
  const std::string opposite = impl_->chat_template->render(context);
  context["enable_thinking"] = on;
  std::string prompt = impl_->chat_template->render(context);
  const bool opens = prompt_opens_reasoning(prompt);
  if (prompt == opposite && !opens) {
    throw_usage("--reasoning {} has no effect: the chat template knows no thinking",
                on ? "on" : "off");
  }
  // Templates without the switch (DeepSeek-R1) open the block themselves: close it at once.
  if (!on && opens) prompt += "\n</think>\n\n";
  return prompt;
}

}  // namespace laconic
