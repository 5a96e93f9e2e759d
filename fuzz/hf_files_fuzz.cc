// SPDX-License-Identifier: Apache-2.0
// The files of a Hugging Face directory together. An input is made of parts: a line "@@ NAME", then
// that file's bytes up to the next such line. A valid shard, part.safetensors, always lies beside
// them for an index to lead to.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/threads.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/random_weights.h"
#include "scratch_folder.h"
#include "text/hf_tokenizer.h"

namespace {

using namespace laconic;

constexpr std::array<std::string_view, 11> kNames = {"config.json",
                                                     "generation_config.json",
                                                     "model.safetensors",
                                                     "tokenizer.json",
                                                     "model.safetensors.index.json",
                                                     "vocab.json",
                                                     "merges.txt",
                                                     "added_tokens.json",
                                                     "tokenizer_config.json",
                                                     "special_tokens_map.json",
                                                     "chat_template.jinja"};

// The weights of the model that the corpus describes.
void write_shard(const std::filesystem::path& path) {
  ModelConfig config = known_model("tiny");
  config.layers = 1;
  config.hidden = config.intermediate = 4;
  config.heads = config.kv_heads = 2;
  config.head_dim = 2;
  config.vocab = 300;
  Threads threads(1);
  std::vector<std::vector<std::byte>> owned;
  std::vector<TensorView> views;
  for (const TensorSpec& spec : decoder_tensors(config)) {
    owned.push_back(random_tensor(1, spec, DType::kF32, threads));
    views.push_back({spec.name, DType::kF32, spec.shape, owned.back()});
  }
  write_safetensors(path, views);
}

void write_parts(std::string_view input, const fuzz::ScratchFolder& folder) {
  for (const std::string_view name : kNames) std::filesystem::remove(folder.path() / name);
  while (input.starts_with("@@ ")) {
    const std::size_t line = std::min(input.find('\n'), input.size());
    const std::string name(input.substr(3, line - 3));
    input.remove_prefix(std::min(line + 1, input.size()));
    const std::size_t next = std::min(input.find("\n@@ "), input.size());
    if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) {
      folder.write(name, input.substr(0, next));
    }
    input.remove_prefix(std::min(next + 1, input.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder kFolder;
  static const bool kWritten = (write_shard(kFolder.path() / "part.safetensors"), true);
  if (!kWritten) std::abort();
  write_parts({reinterpret_cast<const char*>(data), size}, kFolder);
  try {
    const Tokenizer tokenizer = Tokenizer::from_directory(kFolder.path());
    tokenizer.decode(tokenizer.encode("the cat, <s>  42\n<|im_end|>\xff"));
  } catch (const Error&) {
  }
  try {
    const Checkpoint checkpoint = Checkpoint::open(kFolder.path());
    if (checkpoint.tensors().size() != decoder_tensors(checkpoint.config()).size()) std::abort();
    checkpoint.generation_config();
    checkpoint.tokenizer();
  } catch (const Error&) {
  }
  return 0;
}
