// SPDX-License-Identifier: Apache-2.0
// Shapes of published models, from their config.json, for speed and memory work without downloads.
#include <array>

#include "base/error.h"
#include "model/convert.h"

namespace laconic {
namespace {

using A = Architecture;

struct Known {
  std::string_view name;
  Architecture architecture;
  std::size_t layers, hidden, intermediate, heads, kv_heads, head_dim, vocab, context;
  double theta;
  double norm_eps;
  bool tied;
  double llama3_factor;  // RoPE scaling of Llama 3.1 and later; 0: none
  std::int32_t bos, eos;
};

// clang-format off
constexpr std::array kKnown{
    // name                  type      L   hidden inter   H  KV  D    vocab  context   theta    eps   tied  f3   bos     eos
    Known{"qwen3-0.6b",           A::kQwen3, 28, 1024,  3072, 16, 8, 128, 151936,  40960, 1e6, 1e-6, true,  0, 151643, 151645},
    Known{"qwen3-1.7b",           A::kQwen3, 28, 2048,  6144, 16, 8, 128, 151936,  40960, 1e6, 1e-6, true,  0, 151643, 151645},
    Known{"qwen3-4b",             A::kQwen3, 36, 2560,  9728, 32, 8, 128, 151936,  40960, 1e6, 1e-6, true,  0, 151643, 151645},
    Known{"qwen3-8b",             A::kQwen3, 36, 4096, 12288, 32, 8, 128, 151936,  40960, 1e6, 1e-6, false, 0, 151643, 151645},
    Known{"qwen2.5-0.5b",         A::kQwen2, 24,  896,  4864, 14, 2,  64, 151936,  32768, 1e6, 1e-6, true,  0, 151643, 151645},
    Known{"qwen2.5-1.5b",         A::kQwen2, 28, 1536,  8960, 12, 2, 128, 151936,  32768, 1e6, 1e-6, true,  0, 151643, 151645},
    Known{"qwen2.5-7b",           A::kQwen2, 28, 3584, 18944, 28, 4, 128, 152064,  32768, 1e6, 1e-6, false, 0, 151643, 151645},
    Known{"r1-distill-qwen-1.5b", A::kQwen2, 28, 1536,  8960, 12, 2, 128, 151936, 131072, 1e4, 1e-6, false, 0, 151643, 151643},
    Known{"r1-distill-qwen-7b",   A::kQwen2, 28, 3584, 18944, 28, 4, 128, 152064, 131072, 1e4, 1e-6, false, 0, 151643, 151643},
    Known{"r1-distill-qwen-14b",  A::kQwen2, 48, 5120, 13824, 40, 8, 128, 152064, 131072, 1e6, 1e-5, false, 0, 151643, 151643},
    Known{"r1-distill-llama-8b",  A::kLlama, 32, 4096, 14336, 32, 8, 128, 128256, 131072, 5e5, 1e-5, false, 8, 128000, 128001},
    Known{"llama-3.2-1b",         A::kLlama, 16, 2048,  8192, 32, 8,  64, 128256, 131072, 5e5, 1e-5, true, 32, 128000, 128001},
    Known{"llama-3.1-8b",         A::kLlama, 32, 4096, 14336, 32, 8, 128, 128256, 131072, 5e5, 1e-5, false, 8, 128000, 128001},
    Known{"qwq-32b",              A::kQwen2, 64, 5120, 27648, 40, 8, 128, 152064,  40960, 1e6, 1e-5, false, 0, 151643, 151645},
    // Not published: everything a test needs, in half a megabyte.
    Known{"tiny",                 A::kQwen3,  3,   64,   160,  4, 2,  32,    512,   4096, 1e6, 1e-6, true,  0,     -1,     -1},
};
// clang-format on

ModelConfig config_of(const Known& known) {
  ModelConfig config;
  config.name = std::string(known.name);
  config.architecture = known.architecture;
  config.layers = known.layers;
  config.hidden = known.hidden;
  config.intermediate = known.intermediate;
  config.heads = known.heads;
  config.kv_heads = known.kv_heads;
  config.head_dim = known.head_dim;
  config.vocab = known.vocab;
  config.context = known.context;
  config.norm_eps = static_cast<float>(known.norm_eps);
  config.tied_head = known.tied;
  config.qkv_bias = known.architecture == A::kQwen2;
  config.qk_norm = known.architecture == A::kQwen3;
  config.rope.theta = known.theta;
  if (known.llama3_factor > 0) {
    config.rope.scaling = RopeConfig::Scaling::kLlama3;
    config.rope.factor = known.llama3_factor;
    config.rope.original_context = 8192;
    config.rope.low_freq_factor = 1;
    config.rope.high_freq_factor = 4;
  }
  config.bos = known.bos;
  if (known.eos >= 0) config.eos = {known.eos};
  return config;
}

}  // namespace

ModelConfig known_model(std::string_view name) {
  for (const Known& known : kKnown) {
    if (known.name == name) return config_of(known);
  }
  throw_usage("no model shape is called \"{}\"; known are {}", name,
              fmt::join(known_models(), ", "));
}

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const Known& known : kKnown) names.emplace_back(known.name);
  return names;
}

}  // namespace laconic
