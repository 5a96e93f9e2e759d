// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint.h"

#include <charconv>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "io/printable.h"
#include "model/checkpoint_source.h"
#include "model/convert.h"
#include "model/gguf_tokenizer.h"
#include "model/rope_rows.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

std::string shape_text(std::span<const std::size_t> shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

// A directory without config.json may still hold one GGUF: people download it like that.
fs::path only_gguf_in(const fs::path& directory) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".gguf") found.push_back(entry.path());
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw_input("{}: no config.json and no .gguf file in this directory", directory.string());
  }
  throw_input("{}: holds {} .gguf files and no config.json; name the one you mean",
              directory.string(), found.size());
}

CheckpointSource open_source(const fs::path& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status)) throw_input("{}: no such file or directory", path.string());
  if (!fs::is_directory(status)) {
    if (path.extension() == ".safetensors") {
      throw_input("{}: name the directory that holds this file and its config.json", path.string());
    }
    return open_gguf_checkpoint(path);
  }
  try {
    if (fs::exists(path / "config.json")) return open_hf_directory(path);
    return open_gguf_checkpoint(only_gguf_in(path));
  } catch (const fs::filesystem_error& error) {
    throw_input("cannot read {}: {}", path.string(), error.code().message());
  }
}

// Tokens beyond the embedding's rows are harmless where no plain text becomes them: gaps, unused
// ones, and control tokens, such as the padding that fine-tunes of Llama-2 added.
void check_ids(const TokenizerData& data, std::size_t rows, std::string_view where) {
  for (std::size_t id = data.tokens.size(); id-- > rows;) {
    const TokenType type = data.types[id];
    const bool unreachable = type == TokenType::kUnused || type == TokenType::kControl;
    if (data.tokens[id].empty() || unreachable) continue;
    throw_input("{}: the tokenizer's ids reach {} ({}), but the embedding has {} rows", where, id,
                printable(data.tokens[id]), rows);
  }
}

std::optional<Tokenizer> load_tokenizer(const CheckpointSource& source) {
  if (!source.gguf.empty()) {
    const GgufMetadata& metadata = source.gguf.front().metadata();
    if (!gguf_has_tokenizer(metadata)) return std::nullopt;
    return Tokenizer(tokenizer_from_gguf(metadata, source.path.string()));
  }
  if (!fs::exists(source.path / "tokenizer.json") && !fs::exists(source.path / "vocab.json")) {
    return std::nullopt;
  }
  return Tokenizer::from_directory(source.path);
}

}  // namespace

struct Checkpoint::Impl {
  CheckpointSource source;
  std::map<std::string_view, std::size_t> index;  // into source.tensors, whose names it views
};

Checkpoint::Checkpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;

Checkpoint Checkpoint::open(const fs::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->source = open_source(path);
  const std::vector<TensorView>& tensors = impl->source.tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) impl->index.emplace(tensors[i].name, i);
  return Checkpoint(std::move(impl));
}

const ModelConfig& Checkpoint::config() const { return impl_->source.config; }
const std::string& Checkpoint::format() const { return impl_->source.format; }
const fs::path& Checkpoint::path() const { return impl_->source.path; }
std::span<const fs::path> Checkpoint::files() const { return impl_->source.files; }
std::span<const TensorView> Checkpoint::tensors() const { return impl_->source.tensors; }
std::vector<std::string> Checkpoint::unused() const { return impl_->source.unused; }
Json Checkpoint::generation_config() const { return impl_->source.generation_config; }

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? nullptr : &impl_->source.tensors[found->second];
}

void Checkpoint::drop_pages(const TensorView& tensor) const {
  const bool owned = !impl_->source.gguf.empty() && interleaved_heads(config(), tensor.name) > 0;
  if (!owned) drop_mapped_pages(tensor.bytes);
}

void Checkpoint::release(std::string_view name) {
  TensorView& tensor = impl_->source.tensors[impl_->index.at(name)];
  const std::span<const std::byte> bytes = std::exchange(tensor.bytes, {});
  for (std::vector<std::byte>& rows : impl_->source.reordered) {
    if (!rows.empty() && rows.data() == bytes.data()) {
      std::vector<std::byte>().swap(rows);  // an assignment of {} would keep the memory
      return;
    }
  }
  drop_mapped_pages(bytes);
}

std::size_t Checkpoint::reordered_bytes() const {
  std::size_t sum = 0;
  for (const std::vector<std::byte>& rows : impl_->source.reordered) sum += rows.capacity();
  return sum;
}

std::optional<Tokenizer> Checkpoint::tokenizer() const {
  std::optional<Tokenizer> tokenizer = load_tokenizer(impl_->source);
  if (tokenizer) check_ids(tokenizer->data(), config().vocab, path().string());
  return tokenizer;
}

void check_layer(std::string_view name, std::string_view prefix, const ModelConfig& config,
                 std::string_view where) {
  if (!name.starts_with(prefix)) return;
  const std::string_view rest = name.substr(prefix.size());
  std::size_t layer = 0;
  const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  if (failure != std::errc() || end == rest.data() + rest.size() || *end != '.') return;
  if (layer < config.layers) return;
  throw_input("{}: the weights hold {}, but the config says {} layers, the last being {}", where,
              printable(name), config.layers, config.layers - 1);
}

std::vector<TensorView> collect_tensors(const ModelConfig& config, std::string_view where,
                                        const TensorLookup& lookup) {
  std::vector<TensorView> tensors;
  for (TensorSpec& spec : decoder_tensors(config)) {
    TensorView view = lookup(spec.name);
    if (view.shape != spec.shape) {
      throw_input("{}: the tensor {} has shape {}, but the config asks for {}", where, view.name,
                  shape_text(view.shape), shape_text(spec.shape));
    }
    const std::size_t block = block_elements(view.type);
    if (block > 1 && (spec.shape.size() == 1 || spec.shape.back() % block != 0)) {
      throw_input("{}: the tensor {} of shape {} cannot be {}", where, view.name,
                  shape_text(view.shape), dtype_name(view.type));
    }
    view.name = std::move(spec.name);
    tensors.push_back(std::move(view));
  }
  return tensors;
}

}  // namespace laconic
