// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <span>

#include "base/error.h"
#include "io/safetensors.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".safetensors", kPart = ".part";
constexpr int kVersion = 2;

// Each of four lanes takes every fourth word, so that the multiplications overlap. A lane's step is
// a bijection: one changed word always shows.
class ContentHash {
 public:
  void add(std::span<const std::byte> bytes) {
    mix(0, bytes.size());  // keeps "ab", "c" apart from "a", "bc"
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(4, bytes.size() - at));
      mix((at / 4) % 4, word);
    }
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text.data(), text.size()))); }
  std::string text() const {
    return fmt::format("{:016x}{:016x}{:016x}{:016x}", lanes_[0], lanes_[1], lanes_[2], lanes_[3]);
  }

 private:
  void mix(std::size_t lane, std::uint64_t word) {
    std::uint64_t& value = lanes_[lane];
    value = (value ^ word) * 0x9e3779b97f4a7c15u;
    value ^= value >> 29;
  }

  std::uint64_t lanes_[4] = {1, 2, 3, 4};
};

[[noreturn]] void refuse(const fs::path& file) {
  throw_resource("cannot write {}: {}", file.string(), std::strerror(errno));
}

// Until both the file's bytes and its name are on the disk, a power cut may lose either.
void sync_to_disk(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) refuse(path);
  const int result = ::fsync(descriptor);
  const int reason = errno;
  ::close(descriptor);
  errno = reason;
  if (result != 0) refuse(path);
}

Json state_json(const RunState& state) {
  return {{"version", kVersion},
          {"step", state.step},
          {"updates", state.updates},
          {"next_text", state.stream.next_text},
          {"tokens", state.stream.tokens},
          {"seconds", state.seconds},
          {"loss_sum", state.loss_sum},
          {"loss_steps", state.loss_steps},
          {"evaluated_tokens", state.evaluated_tokens},
          {"recipe", state.recipe},
          {"source", state.source},
          {"init", state.init},
          {"machine", state.machine}};
}

RunState state_from_json(const Json& json, const std::string& where) {
  const auto version = json_required<int>(json, "version", where);
  if (version != kVersion) {
    throw_input("{}: version {} of checkpoints is not known, {} is", where, version, kVersion);
  }
  RunState state;
  state.step = json_required<std::uint64_t>(json, "step", where);
  state.updates = json_required<std::uint64_t>(json, "updates", where);
  state.stream.next_text = json_required<std::uint64_t>(json, "next_text", where);
  state.stream.tokens = json_required<std::uint64_t>(json, "tokens", where);
  state.seconds = json_required<double>(json, "seconds", where);
  state.loss_sum = json_required<double>(json, "loss_sum", where);
  state.loss_steps = json_required<std::uint64_t>(json, "loss_steps", where);
  state.evaluated_tokens = json_required<std::uint64_t>(json, "evaluated_tokens", where);
  state.recipe = json_required<Json>(json, "recipe", where);
  state.source = json_required<std::string>(json, "source", where);
  state.init = json_required<std::string>(json, "init", where);
  state.machine = json_required<std::string>(json, "machine", where);
  return state;
}

std::string metadata_value(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) {
    throw_input("{} is not a checkpoint of a training run: it has no \"{}\"", file.path().string(),
                key);
  }
  return found->second;
}

fs::path file_name(std::uint64_t step) { return fmt::format("{}{:09}{}", kPrefix, step, kSuffix); }

// Nothing for a name that is no checkpoint's.
std::optional<std::uint64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.size() <= kSuffix.size()) return std::nullopt;
  const std::string digits(name.substr(0, name.size() - kSuffix.size()));
  if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  return std::stoull(digits);
}

}  // namespace

void write_checkpoint(const fs::path& folder, const RunState& state, const NamedTensors& tensors) {
  std::vector<Tensor> host;  // keeps the bytes of the views alive
  std::vector<TensorView> views;
  const std::string run = state_json(state).dump();
  ContentHash hash;
  hash.add(run);
  for (const auto& [name, tensor] : tensors) {
    host.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const Tensor& values = host.back();
    TensorView view{name, DType::kF32, {}, {}};
    for (const std::int64_t dim : values.sizes())
      view.shape.push_back(static_cast<std::size_t>(dim));
    view.bytes = std::as_bytes(
        std::span(values.data_ptr<float>(), static_cast<std::size_t>(values.numel())));
    hash.add(name);
    hash.add(view.bytes);
    views.push_back(std::move(view));
  }
  const fs::path target = folder / file_name(state.step);
  fs::path part = target;
  part += kPart;
  try {
    write_safetensors(part, views, {{"laconic_run", run}, {"laconic_hash", hash.text()}});
    sync_to_disk(part);
    fs::rename(part, target);
    sync_to_disk(folder);
  } catch (const fs::filesystem_error& failure) {
    throw_resource("cannot write {}: {}", target.string(), failure.code().message());
  } catch (...) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
  const std::vector<fs::path> files = checkpoint_files(folder);
  for (std::size_t i = kCheckpointsKept; i < files.size(); ++i) {
    std::error_code ignored;  // one too many does no harm
    fs::remove(files[i], ignored);
  }
}

std::vector<fs::path> checkpoint_files(const fs::path& folder) {
  std::map<std::uint64_t, fs::path, std::greater<>> by_step;
  std::error_code failure;
  fs::directory_iterator entry(folder, failure);
  if (failure == std::errc::no_such_file_or_directory) return {};
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    if (const auto step = step_of(entry->path().filename().string())) {
      by_step[*step] = entry->path();
    }
  }
  if (failure) throw_input("cannot read the folder {}: {}", folder.string(), failure.message());
  std::vector<fs::path> files;
  for (const auto& [step, path] : by_step) files.push_back(path);
  return files;
}

bool is_unfinished_checkpoint(std::string_view name) {
  if (!name.ends_with(kPart)) return false;
  name.remove_suffix(kPart.size());
  return step_of(name).has_value();
}

RunState read_run_state(const fs::path& path) {
  const SafetensorsFile file(path);
  const std::string run = metadata_value(file, "laconic_run");
  RunState state = state_from_json(parse_json(run, path.string()), path.string());
  ContentHash hash;
  hash.add(run);
  for (const std::string& name : file.names()) {
    hash.add(name);
    hash.add(file.tensor(name).bytes);
  }
  if (hash.text() != metadata_value(file, "laconic_hash")) {
    throw_input("{} is damaged: it holds not what was written", path.string());
  }
  return state;
}

void read_tensors(const fs::path& path, const NamedTensors& tensors) {
  const torch::NoGradGuard no_grad;
  const SafetensorsFile file(path);
  for (const auto& [name, tensor] : tensors) {
    const TensorView view = file.tensor(name);
    std::vector<std::int64_t> shape;
    for (const std::size_t dim : view.shape) shape.push_back(static_cast<std::int64_t>(dim));
    if (view.type != DType::kF32 || tensor.sizes() != at::IntArrayRef(shape)) {
      throw_input("{}: the tensor {} has another shape or type than the model", path.string(),
                  name);
    }
    // from_blob wants a pointer to non-const, copy_ only reads it.
    void* bytes = const_cast<void*>(static_cast<const void*>(view.bytes.data()));
    Tensor destination = tensor;
    destination.copy_(torch::from_blob(bytes, tensor.sizes(), torch::kF32));
  }
}

}  // namespace laconic::train
