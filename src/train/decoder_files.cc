// SPDX-License-Identifier: Apache-2.0
// A decoder's parameters from and to a Hugging Face folder.
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "io/safetensors.h"
#include "train/decoder.h"

namespace laconic::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";

at::ScalarType scalar_type(const TensorView& view, std::string_view where) {
  switch (view.type) {
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      break;
  }
  throw_input("{}: {} is {}, training reads f32, f16 and bf16", where, view.name,
              dtype_name(view.type));
}

bool same_shape(const TensorView& view, const Tensor& parameter) {
  if (static_cast<std::int64_t>(view.shape.size()) != parameter.dim()) return false;
  for (std::int64_t d = 0; d < parameter.dim(); ++d) {
    if (view.shape[static_cast<std::size_t>(d)] != static_cast<std::size_t>(parameter.size(d))) {
      return false;
    }
  }
  return true;
}

TensorView view_of(const std::string& name, const Tensor& stored) {
  TensorView view;
  view.name = name;
  view.type = stored.scalar_type() == at::kFloat ? DType::kF32 : DType::kBF16;
  for (const std::int64_t size : stored.sizes()) {
    view.shape.push_back(static_cast<std::size_t>(size));
  }
  view.bytes = {static_cast<const std::byte*>(stored.data_ptr()), stored.nbytes()};
  return view;
}

}  // namespace

void Decoder::load_weights(const fs::path& folder) {
  const at::NoGradGuard no_grad;
  const SafetensorsFile file(folder / kWeights);
  const std::string where = file.path().string();
  std::set<std::string> unread;
  for (std::string& name : file.names()) unread.insert(std::move(name));
  // Some writers store the tied head all the same; it is the embedding once more.
  if (config_.tied) unread.erase("lm_head.weight");
  for (const auto& [name, parameter] : parameters_) {
    if (!file.contains(name)) throw_input("{}: the tensor {} is missing", where, name);
    const TensorView view = file.tensor(name);
    if (!same_shape(view, parameter)) {
      throw_input("{}: {} has the shape [{}], the decoder asks for [{}]", where, name,
                  fmt::join(view.shape, ", "),
                  fmt::join(parameter.sizes().begin(), parameter.sizes().end(), ", "));
    }
    unread.erase(name);
  }
  if (!unread.empty()) {
    throw_input("{}: no parameter of this {} decoder takes the tensor {}", where,
                config_.architecture, *unread.begin());
  }
  for (const auto& [name, parameter] : parameters_) {
    const TensorView view = file.tensor(name);
    // from_blob wants a mutable pointer; the mapping is only read.
    const Tensor stored =
        at::from_blob(const_cast<std::byte*>(view.bytes.data()), parameter.sizes(),
                      at::TensorOptions().dtype(scalar_type(view, where)));
    Tensor(parameter).copy_(stored);
  }
}

void Decoder::save(const fs::path& folder, const std::string& dtype) const {
  std::optional<at::ScalarType> type;
  if (dtype == "float32") type = at::kFloat;
  if (dtype == "bfloat16") type = at::kBFloat16;
  if (!type) throw_usage("weights cannot be saved as {}, only as float32 or bfloat16", dtype);
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw_resource("cannot make the folder {}: {}", folder.string(), failure.message());

  std::vector<Tensor> stored;
  std::vector<TensorView> views;
  for (const auto& [name, parameter] : parameters_) {
    stored.push_back(parameter.detach().to(at::kCPU).to(*type).contiguous());
    views.push_back(view_of(name, stored.back()));
  }
  write_safetensors(folder / kWeights, views, {{"format", "pt"}});
  Json config = config_.to_json();
  config["torch_dtype"] = dtype;
  write_file_atomic(folder / "config.json", config.dump(2) + "\n");
}

}  // namespace laconic::train
