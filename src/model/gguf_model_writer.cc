// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_model_writer.h"

#include <cstring>

#include "base/error.h"
#include "model/gguf_tokenizer.h"
#include "model/rope_rows.h"

namespace laconic {
namespace {

// What llama.cpp's graphs of these architectures would leave out must not be written silently.
void check_expressible(const ModelConfig& config) {
  const std::string_view name = architecture_name(config.architecture);
  if (config.architecture == Architecture::kQwen3 && (config.qkv_bias || config.o_bias)) {
    throw_input("GGUF has no attention biases for {} models", name);
  }
  const bool divisors = config.rope.scaling == RopeConfig::Scaling::kLlama3 ||
                        !config.rope.frequency_divisors.empty();
  if (divisors && config.architecture != Architecture::kLlama) {
    throw_input("GGUF has no llama3 RoPE scaling for {} models", name);
  }
}

// rope_freqs.weight: what each plain frequency is divided by; empty when there is none.
std::vector<float> frequency_divisors(const ModelConfig& config) {
  if (config.rope.scaling != RopeConfig::Scaling::kLlama3) return config.rope.frequency_divisors;
  RopeConfig plain;
  plain.theta = config.rope.theta;
  const RopeTable before = rope_table(plain, config.head_dim);
  const RopeTable after = rope_table(config.rope, config.head_dim);
  std::vector<float> divisors(config.head_dim / 2);
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    divisors[i] = static_cast<float>(before.inverse_frequency[i] / after.inverse_frequency[i]);
  }
  return divisors;
}

GgufMetadata model_metadata(const ModelConfig& config, const TokenizerData* tokenizer,
                            const TypeMix& mix) {
  GgufMetadata metadata = config_to_gguf(config);
  metadata["general.file_type"] = mix.file_type();
  metadata["general.quantization_version"] = std::uint64_t{2};
  if (tokenizer == nullptr) {
    metadata["tokenizer.ggml.model"] = std::string("no_vocab");
    if (config.bos >= 0) {
      metadata["tokenizer.ggml.bos_token_id"] = static_cast<std::uint64_t>(config.bos);
    }
    if (!config.eos.empty()) {
      metadata["tokenizer.ggml.eos_token_id"] = static_cast<std::uint64_t>(config.eos.front());
    }
  } else {
    metadata.merge(tokenizer_to_gguf(padded_tokenizer(*tokenizer, config.vocab)));
  }
  return metadata;
}

DType target_type(const TensorSpec& spec, DType type, DType stored) {
  if (spec.shape.size() == 1) return DType::kF32;
  return spec.shape.back() % block_elements(type) == 0 ? type : stored;
}

std::size_t plan_bytes(const GgufTensorPlan& plan) {
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < plan.shape.size(); ++i) rows *= plan.shape[i];
  return rows * row_bytes(plan.type, plan.shape.back());
}

}  // namespace

ConversionReport write_gguf_model(const ModelConfig& config, const TokenizerData* tokenizer,
                                  const std::filesystem::path& out, const TypeMix& mix,
                                  const TensorSupply& supply, const ConversionProgress& progress) {
  if (out.extension() != ".gguf") {
    throw_usage("cannot write {}: the name of a GGUF must end in .gguf", out.string());
  }
  check_expressible(config);
  const std::vector<float> divisors = frequency_divisors(config);
  const std::vector<TensorSpec> specs = decoder_tensors(config);
  ConversionReport report;
  if (tokenizer == nullptr) {
    report.notes.push_back(
        "the model has no tokenizer, so the file has none: llama.cpp cannot read text with it, "
        "laconic runs it with --ids");
  }
  std::vector<GgufTensorPlan> plans;
  for (const TensorSpec& spec : specs) {
    const DType stored = supply.stored_type(spec);
    const DType wanted = mix.of(config, spec.name);
    const DType chosen = target_type(spec, wanted, stored);
    if (spec.shape.size() > 1 && chosen != wanted) {
      report.kept.push_back(
          fmt::format("{} ({}, {} columns)", spec.name, dtype_name(stored), spec.shape.back()));
    }
    plans.push_back({gguf_tensor_name(spec.name), chosen, spec.shape});
  }
  if (!divisors.empty()) {
    plans.push_back({"rope_freqs.weight", DType::kF32, {divisors.size()}});
  }
  std::size_t total = 0, done = 0;
  for (const GgufTensorPlan& plan : plans) total += plan_bytes(plan);

  write_gguf(out, model_metadata(config, tokenizer, mix), plans, [&](std::size_t i) {
    std::vector<std::byte> bytes;
    if (i == specs.size()) {
      bytes.resize(divisors.size() * sizeof(float));
      std::memcpy(bytes.data(), divisors.data(), bytes.size());
    } else {
      bytes = supply.bytes(specs[i], plans[i].type);
      const std::size_t heads = interleaved_heads(config, specs[i].name);
      if (heads > 0) bytes = interleave_rows(bytes, heads, config.head_dim);
    }
    done += bytes.size();
    if (progress) progress(done, total);
    return bytes;
  });
  report.bytes_out = total;
  return report;
}

}  // namespace laconic
