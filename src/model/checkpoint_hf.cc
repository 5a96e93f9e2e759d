// SPDX-License-Identifier: Apache-2.0
// A Hugging Face directory: config.json and safetensors, in one file or in shards with an index.
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "model/checkpoint.h"
#include "model/checkpoint_source.h"

namespace laconic {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::size_t kJsonLimit = std::size_t{64} << 20;  // far above any config or index

Json read_json(const fs::path& path) {
  return parse_json(read_file(path, kJsonLimit), path.string());
}

// An index may come from anywhere: it may only name files that lie beside it.
void check_plain_name(const std::string& name, std::string_view where) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!plain) {
    throw_input("{}: \"{}\" is not the plain name of a file in this directory", where, name);
  }
}

// Which shard holds which tensor.
struct ShardMap {
  std::vector<std::string> files;
  std::map<std::string, std::size_t, std::less<>> shard_of;
};

ShardMap read_index(const fs::path& path) {
  const std::string where = path.string();
  const Json index = read_json(path);
  if (!index.is_object()) throw_input("{}: an object is expected", where);
  const auto map = index.find("weight_map");
  if (map == index.end() || !map->is_object()) {
    throw_input("{}: \"weight_map\" is missing or not an object", where);
  }
  ShardMap shards;
  std::map<std::string, std::size_t> known;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) throw_input("{}: the shard of {} must be a file name", where, tensor);
    const auto& name = file.get_ref<const std::string&>();
    const auto [entry, is_new] = known.emplace(name, shards.files.size());
    if (is_new) {
      check_plain_name(name, where);
      shards.files.push_back(name);
    }
    shards.shard_of.emplace(tensor, entry->second);
  }
  return shards;
}

void open_shards(const fs::path& directory, const ShardMap& map, CheckpointSource& source) {
  for (const std::string& file : map.files) {
    if (!fs::exists(directory / file)) {
      throw_input("{}: the shard {} that the index names is missing", directory.string(), file);
    }
    source.shards.emplace_back(directory / file);
    source.files.push_back(directory / file);
  }
}

// Opens the weights and gives the shard of each tensor.
ShardMap open_weights(const fs::path& directory, CheckpointSource& source) {
  ShardMap map;
  if (fs::exists(directory / kSingle)) {
    source.shards.emplace_back(directory / kSingle);
    source.files.push_back(directory / kSingle);
    for (std::string& name : source.shards.front().names())
      map.shard_of.emplace(std::move(name), 0);
    return map;
  }
  if (!fs::exists(directory / kIndex)) {
    const bool pickled = fs::exists(directory / "pytorch_model.bin") ||
                         fs::exists(directory / "pytorch_model.bin.index.json");
    throw_input("{}: no {} and no {}{}", directory.string(), kSingle, kIndex,
                pickled ? " (pytorch_model.bin is not read: convert it to safetensors)" : "");
  }
  map = read_index(directory / kIndex);
  open_shards(directory, map, source);
  return map;
}

std::vector<std::string> unused_names(const CheckpointSource& source) {
  std::set<std::string_view> used;
  for (const TensorView& tensor : source.tensors) used.insert(tensor.name);
  std::vector<std::string> unused;
  for (const SafetensorsFile& shard : source.shards) {
    for (std::string& name : shard.names()) {
      if (used.count(name) == 0) unused.push_back(std::move(name));
    }
  }
  return unused;
}

}  // namespace

CheckpointSource open_hf_directory(const fs::path& directory) {
  CheckpointSource source;
  source.path = directory;
  source.format = "safetensors";
  const fs::path config = directory / "config.json";
  source.config = config_from_hf(read_json(config), config.string());
  if (source.config.name.empty()) {
    source.config.name = fs::absolute(directory).lexically_normal().filename().string();
  }
  const ShardMap map = open_weights(directory, source);
  const std::string where = directory.string();
  source.tensors = collect_tensors(source.config, where, [&](const std::string& name) {
    const auto found = map.shard_of.find(name);
    if (found == map.shard_of.end()) {
      throw_input("{}: the tensor {} is missing from the weights", where, name);
    }
    const SafetensorsFile& shard = source.shards[found->second];
    if (!shard.contains(name)) {
      throw_input("{}: the tensor {} is missing from {}, where the index puts it", where, name,
                  shard.path().filename().string());
    }
    return shard.tensor(name);
  });
  source.unused = unused_names(source);
  for (const std::string& name : source.unused) {
    check_layer(name, "model.layers.", source.config, where);
  }
  const fs::path generation = directory / "generation_config.json";
  if (fs::exists(generation)) {
    source.generation_config = read_json(generation);
    if (!source.generation_config.is_object()) {
      throw_input("{}: an object is expected", generation.string());
    }
  }
  return source;
}

}  // namespace laconic
