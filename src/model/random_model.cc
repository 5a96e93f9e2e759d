// SPDX-License-Identifier: Apache-2.0
// A model with random weights at a given shape: a GGUF, or a Hugging Face directory made under a
// temporary name and renamed when it is whole.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/threads.h"
#include "io/safetensors.h"
#include "model/convert.h"
#include "model/gguf_model_writer.h"
#include "model/made_tokenizer.h"
#include "model/random_weights.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

// A shard is in memory as a whole before it is written.
constexpr std::size_t kShardBytes = std::size_t{3} << 29;

// A K-quant has no other type to fall back on that the file's name would promise.
void check_rows(const ModelConfig& config, const TypeMix& mix) {
  if (can_quantize(mix.most())) return;
  for (const TensorSpec& spec : decoder_tensors(config)) {
    if (spec.shape.size() == 1 || spec.shape.back() % kKBlock == 0) continue;
    throw_usage("type {} needs rows that are a multiple of {}; {} has rows of {}", mix.name(),
                kKBlock, spec.name, spec.shape.back());
  }
}

// What belongs to a tokenizer in a Hugging Face directory.
constexpr const char* kTokenizerFiles[] = {
    "tokenizer.json",    "tokenizer_config.json",   "vocab.json",         "merges.txt",
    "added_tokens.json", "special_tokens_map.json", "chat_template.jinja"};

std::size_t spec_bytes(const TensorSpec& spec, DType type) {
  const std::size_t rows = spec.shape.size() == 1 ? 1 : spec.shape[0];
  return rows * row_bytes(type, spec.shape.back());
}

TokenizerData choose_tokenizer(const fs::path& directory, std::size_t vocab) {
  if (directory.empty()) return made_tokenizer(vocab);
  TokenizerData data = Tokenizer::from_directory(directory).data();
  if (data.tokens.size() > vocab) {
    throw_usage("the tokenizer of {} has {} tokens, but this model has {} rows of embedding",
                directory.string(), data.tokens.size(), vocab);
  }
  return data;
}

// The model must stop where its tokenizer says, not where the published one would.
void take_special_ids(const TokenizerData& data, ModelConfig& config) {
  config.bos = data.bos;
  config.eos.clear();
  if (data.eos >= 0) config.eos.push_back(data.eos);
  for (const TokenId id : data.end_tokens) {
    if (std::find(config.eos.begin(), config.eos.end(), id) == config.eos.end()) {
      config.eos.push_back(id);
    }
  }
}

// Consecutive tensors that share a file: [begin, end) of `specs`.
using Shard = std::pair<std::size_t, std::size_t>;
std::vector<Shard> plan_shards(const std::vector<TensorSpec>& specs, DType type) {
  std::vector<Shard> shards;
  std::size_t begin = 0, bytes = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::size_t next = spec_bytes(specs[i], type);
    if (i > begin && bytes + next > kShardBytes) {
      shards.emplace_back(begin, i);
      begin = i;
      bytes = 0;
    }
    bytes += next;
  }
  shards.emplace_back(begin, specs.size());
  return shards;
}

struct Progress {
  const ConversionProgress& report;
  std::size_t total = 0, done = 0;
  void add(std::size_t bytes) {
    done += bytes;
    if (report) report(done, total);
  }
};

void write_weights(const std::vector<TensorSpec>& specs, DType type, std::uint64_t seed,
                   const fs::path& directory, Progress& progress) {
  Threads threads;
  const std::vector<Shard> shards = plan_shards(specs, type);
  Json weight_map = Json::object();
  for (std::size_t n = 0; n < shards.size(); ++n) {
    const std::string file =
        shards.size() == 1 ? std::string("model.safetensors")
                           : fmt::format("model-{:05}-of-{:05}.safetensors", n + 1, shards.size());
    std::vector<std::vector<std::byte>> owned;
    std::vector<TensorView> views;
    for (std::size_t i = shards[n].first; i < shards[n].second; ++i) {
      owned.push_back(random_tensor(seed, specs[i], type, threads));
      views.push_back({specs[i].name, type, specs[i].shape, owned.back()});
      weight_map[specs[i].name] = file;
      progress.add(owned.back().size());
    }
    write_safetensors(directory / file, views, {{"format", "pt"}});
  }
  if (shards.size() == 1) return;
  const Json index = {{"metadata", {{"total_size", progress.total}}}, {"weight_map", weight_map}};
  write_file_atomic(directory / "model.safetensors.index.json", index.dump(2) + "\n");
}

void write_configs(const ModelConfig& config, DType type, const fs::path& directory) {
  const Json model = config_to_hf(config, type);
  write_file_atomic(directory / "config.json", model.dump(2) + "\n");
  Json generation = Json::object();
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    if (model.contains(key)) generation[key] = model[key];
  }
  write_file_atomic(directory / "generation_config.json", generation.dump(2) + "\n");
}

void fill_directory(const ModelConfig& config, const TokenizerData& tokenizer,
                    const fs::path& tokenizer_dir, DType type, std::uint64_t seed,
                    const fs::path& directory, Progress& progress) {
  write_configs(config, type, directory);
  if (tokenizer_dir.empty()) {
    write_tokenizer_files(tokenizer, directory);
  } else {
    for (const char* file : kTokenizerFiles) {
      if (fs::exists(tokenizer_dir / file)) fs::copy_file(tokenizer_dir / file, directory / file);
    }
  }
  write_weights(decoder_tensors(config), type, seed, directory, progress);
}

void write_directory(const ModelConfig& config, const TokenizerData& tokenizer,
                     const fs::path& tokenizer_dir, DType type, std::uint64_t seed,
                     const fs::path& out, Progress& progress) {
  // "dir/" names the same place as "dir", and its temporary name must lie beside it.
  fs::path target = fs::absolute(out).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target) && !(fs::is_directory(target) && fs::is_empty(target))) {
    throw_usage("cannot write {}: it exists and is not an empty directory", out.string());
  }
  fs::path temporary = target;
  temporary += fmt::format(".tmp{}", ::getpid());
  try {
    fs::create_directories(temporary);
    fill_directory(config, tokenizer, tokenizer_dir, type, seed, temporary, progress);
    fs::rename(temporary, target);
  } catch (const fs::filesystem_error& failure) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw_resource("cannot write {}: {}", out.string(), failure.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

}  // namespace

ConversionReport make_random_model(const ModelConfig& config, const fs::path& out,
                                   const TypeMix& mix, const fs::path& tokenizer_dir,
                                   std::uint64_t seed, const ConversionProgress& progress) {
  const DType type = mix.most();
  const bool gguf = out.extension() == ".gguf";
  if (!gguf && block_elements(type) > 1) {
    throw_usage("type {} needs an output that ends in .gguf; {} would be a directory", mix.name(),
                out.string());
  }
  check_rows(config, mix);
  const TokenizerData tokenizer = choose_tokenizer(tokenizer_dir, config.vocab);
  ModelConfig final_config = config;
  take_special_ids(tokenizer, final_config);
  if (gguf) {
    Threads threads;
    const TensorSupply supply{
        [](const TensorSpec&) { return DType::kBF16; },
        [&](const TensorSpec& spec, DType to) { return random_tensor(seed, spec, to, threads); }};
    return write_gguf_model(final_config, &tokenizer, out, mix, supply, progress);
  }
  Progress counted{progress};
  for (const TensorSpec& spec : decoder_tensors(final_config)) {
    counted.total += spec_bytes(spec, type);
  }
  write_directory(final_config, tokenizer, tokenizer_dir, type, seed, out, counted);
  ConversionReport report;
  report.bytes_out = counted.total;
  return report;
}

}  // namespace laconic
