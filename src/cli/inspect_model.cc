// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "cli/inspect.h"
#include "cli/values.h"

namespace laconic::cli {
namespace {

std::string size(const Json& bytes) { return readable_bytes(bytes.get<double>()); }

const char* scaling_name(RopeConfig::Scaling scaling) {
  switch (scaling) {
    case RopeConfig::Scaling::kNone:
      return "none";
    case RopeConfig::Scaling::kLinear:
      return "linear";
    case RopeConfig::Scaling::kLlama3:
      return "llama3";
    case RopeConfig::Scaling::kYarn:
      return "yarn";
  }
  return "?";
}

Json describe_tokenizer(const Checkpoint& checkpoint) {
  const std::optional<Tokenizer> tokenizer = checkpoint.tokenizer();
  if (!tokenizer) return nullptr;
  const TokenizerData& data = tokenizer->data();
  const bool bytes = data.kind == TokenizerKind::kByteLevelBpe;
  return {{"kind", bytes ? "byte-level BPE" : "SentencePiece BPE"},
          {"pre", data.pre},
          {"vocab", tokenizer->vocab_size()},
          {"bos", data.bos},
          {"eos", data.eos},
          {"chat_template", !data.chat_template.empty()}};
}

}  // namespace

Json describe_model(const Checkpoint& checkpoint, TensorList tensors) {
  const ModelConfig& config = checkpoint.config();
  std::size_t parameters = 0, bytes = 0, step_bytes = 0;
  std::map<std::string, std::pair<std::size_t, std::size_t>> types;  // tensors and bytes
  Json list = Json::array();
  for (const TensorView& tensor : checkpoint.tensors()) {
    const std::string type(dtype_name(tensor.type));
    parameters += tensor.bytes.size() / block_bytes(tensor.type) * block_elements(tensor.type);
    bytes += tensor.bytes.size();
    if (!only_looked_up(tensor, config)) step_bytes += tensor.bytes.size();
    types[type].first += 1;
    types[type].second += tensor.bytes.size();
    list.push_back({{"name", tensor.name},
                    {"type", type},
                    {"shape", tensor.shape},
                    {"bytes", tensor.bytes.size()}});
  }
  Json type_table = Json::object(), kv = Json::object();
  for (const auto& [name, sum] : types) {
    type_table[name] = {{"tensors", sum.first}, {"bytes", sum.second}};
  }
  for (DType type : {DType::kF16, DType::kBF16, DType::kF32, DType::kQ8_0}) {
    if (config.head_dim % block_elements(type) != 0) continue;
    kv[std::string(dtype_name(type))] = config.kv_bytes_per_token(type);
  }
  Json out = {{"name", config.name},
              {"format", checkpoint.format()},
              {"architecture", architecture_name(config.architecture)},
              {"layers", config.layers},
              {"hidden", config.hidden},
              {"intermediate", config.intermediate},
              {"heads", config.heads},
              {"kv_heads", config.kv_heads},
              {"head_dim", config.head_dim},
              {"vocab", config.vocab},
              {"context", config.context},
              {"tied_head", config.tied_head},
              {"qkv_bias", config.qkv_bias},
              {"qk_norm", config.qk_norm},
              {"rope",
               {{"theta", config.rope.theta},
                {"scaling", scaling_name(config.rope.scaling)},
                {"factor", config.rope.factor}}},
              {"parameters", parameters},
              {"weight_bytes", bytes},
              {"bytes_per_step", step_bytes},
              {"types", type_table},
              {"kv_bytes_per_token", kv},
              {"tokenizer", describe_tokenizer(checkpoint)},
              {"unused_tensors", checkpoint.unused()}};
  if (tensors == TensorList::kIncluded) out["tensors"] = std::move(list);
  return out;
}

void print_model(const Json& d) {
  const auto text = [&](const char* key) { return d[key].get<std::string>(); };
  const auto count = [](const Json& value) { return value.get<std::size_t>(); };
  fmt::print("model            {} ({}, {})\n", text("name"), text("architecture"), text("format"));
  fmt::print("layers           {}, hidden {}, intermediate {}\n", count(d["layers"]),
             count(d["hidden"]), count(d["intermediate"]));
  fmt::print("heads            {} query, {} KV, of {} elements{}{}\n", count(d["heads"]),
             count(d["kv_heads"]), count(d["head_dim"]), d["qkv_bias"] ? ", q/k/v bias" : "",
             d["qk_norm"] ? ", q/k norm" : "");
  fmt::print("vocabulary       {}, {} head\n", count(d["vocab"]),
             d["tied_head"] ? "tied" : "separate");
  fmt::print("context          {} tokens, RoPE theta {:g}, scaling {}\n", count(d["context"]),
             d["rope"]["theta"].get<double>(), d["rope"]["scaling"].get<std::string>());
  fmt::print("parameters       {} in {}\n", count(d["parameters"]), size(d["weight_bytes"]));
  for (const auto& [name, sum] : d["types"].items()) {
    fmt::print("  {:<14} {} tensors, {}\n", name, count(sum["tensors"]), size(sum["bytes"]));
  }
  fmt::print("cache per token ");
  for (const auto& [name, bytes] : d["kv_bytes_per_token"].items()) {
    fmt::print(" {} {}", name, size(bytes));
  }
  fmt::print("\n");
  if (const Json& t = d["tokenizer"]; t.is_null()) {
    fmt::print("tokenizer        none\n");
  } else {
    fmt::print("tokenizer        {} {}, {} tokens, {} chat template\n",
               t["kind"].get<std::string>(), t["pre"].get<std::string>(), count(t["vocab"]),
               t["chat_template"] ? "with" : "no");
  }
  for (const Json& name : d["unused_tensors"]) {
    fmt::print("not used         {}\n", name.get<std::string>());
  }
  if (!d.contains("tensors")) return;
  for (const Json& tensor : d["tensors"]) {
    fmt::print("{:<5} {:<16} {}\n", tensor["type"].get<std::string>(), tensor["shape"].dump(),
               tensor["name"].get<std::string>());
  }
}

}  // namespace laconic::cli
