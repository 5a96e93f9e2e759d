// SPDX-License-Identifier: Apache-2.0
// A GGUF as a whole model: metadata -> config and tokenizer, the table of tensors -> checkpoint,
// blocks -> the packed layout, a product and back, and a text through the tokenizer that came out.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "io/gguf_header.h"
#include "kernels/packed.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "scratch_folder.h"

namespace {

using namespace laconic;

constexpr std::string_view kSample = "the cat, <s>  42\n<|im_end|>\xff";

// Every look-up of metadata, also where the tensors would be refused.
void read_metadata(std::span<const std::byte> file) {
  const GgufMetadata metadata = parse_gguf_header(file, "fuzz").metadata;
  try {
    const ModelConfig config = config_from_gguf(metadata, "fuzz");
    rope_table(config.rope, config.head_dim);
    const ModelConfig again = config_from_gguf(config_to_gguf(config), "written");
    if (again.context != config.context || again.heads != config.heads) std::abort();
  } catch (const Error&) {
  }
  try {
    const Tokenizer tokenizer(tokenizer_from_gguf(metadata, "fuzz"));
    tokenizer.decode(tokenizer.encode(kSample));
    tokenizer_to_gguf(tokenizer.data());
  } catch (const Error&) {
  }
}

// Blocks may hold any bits. What is packed reads as what was stored, and a product touches no other
// memory.
void pack_matrix(const TensorView& tensor) {
  static Threads threads(1);
  const WeightView stored{tensor.type, tensor.bytes.data(), tensor.shape[0], tensor.shape[1]};
  const PackedMatrix packed = PackedMatrix::pack(threads, stored);
  std::vector<float> want(stored.cols), got(stored.cols);
  for (const std::size_t row : {std::size_t{0}, stored.rows - 1}) {
    dequantize_row(stored, row, want.data());
    dequantize_packed_row(packed.view(), row, got.data());
    for (std::size_t i = 0; i < stored.cols; ++i) {
      if (want[i] != got[i] && !(std::isnan(want[i]) && std::isnan(got[i]))) std::abort();
    }
  }
  std::vector<float> y(stored.rows);
  const PackedProduct product{packed.view(), y.data(), stored.rows};
  if (reads_quantized_rows(stored.type)) {
    QuantizedRows x;
    quantize_rows(threads, want.data(), 1, stored.cols, x);
    packed_products(threads, {&product, 1}, x);
  } else {
    packed_products(threads, {&product, 1}, want.data(), 1);
  }
}

void open_model(const std::filesystem::path& path) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  const std::vector<TensorSpec> specs = decoder_tensors(checkpoint.config());
  if (specs.size() != checkpoint.tensors().size()) std::abort();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const TensorView& tensor = checkpoint.tensors()[i];
    if (tensor.shape != specs[i].shape) std::abort();
    std::size_t sum = 0;  // so that every byte of every view is read
    for (const std::byte one : tensor.bytes) sum += static_cast<std::size_t>(one);
    if (sum > 255 * tensor.bytes.size()) std::abort();
    if (tensor.shape.size() == 2) pack_matrix(tensor);
  }
  const auto tokenizer = checkpoint.tokenizer();
  if (!tokenizer) return;
  for (const TokenId id : tokenizer->encode(kSample)) {
    if (static_cast<std::size_t>(id) >= checkpoint.config().vocab) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::ScratchFolder kFolder;
  try {
    read_metadata({reinterpret_cast<const std::byte*>(data), size});
    open_model(kFolder.write("m.gguf", {reinterpret_cast<const char*>(data), size}));
  } catch (const Error&) {
  }
  return 0;
}
